package lintel.api_token_test

import data.lintel.api_token

_deployment(spec) := {"kind": "Deployment", "spec": {"template": {"spec": object.union({"containers": []}, spec)}}}

_path := ["spec", "template", "spec", "automountServiceAccountToken"]

test_violation[name] if {
	some name, tc in {
		"nothing said": {"spec": {}, "want": {_path}},
		"mounted": {"spec": {"automountServiceAccountToken": true}, "want": {_path}},
		"not mounted": {"spec": {"automountServiceAccountToken": false}, "want": set()},
		"an account of its own": {"spec": {"serviceAccountName": "web"}, "want": set()},
	}
	got := {v.path | some v in api_token.violation} with input.review.object as _deployment(tc.spec)
		with input.parameters.shared as ["default"]
	got == tc.want
}

test_patch if {
	got := api_token.patch with input.review.object as _deployment({}) with input.parameters.shared as ["default"]
	got == {{"path": _path, "value": false}}
}

test_patch_leaves_own_accounts_alone if {
	object := _deployment({"serviceAccountName": "web"})
	count(api_token.patch) == 0 with input.review.object as object with input.parameters.shared as ["default"]
}
