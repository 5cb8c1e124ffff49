package resource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	tfjson "github.com/hashicorp/terraform-json"
)

const (
	// TerraformAPIVersion is the apiVersion of the objects that are made of a plan
	// of Terraform or OpenTofu. No cluster has its group.
	TerraformAPIVersion = "terraform.lintel.dev/v1"

	// MaxPlan is how many bytes a plan may have. It says each resource three
	// times, before, after and in the state, so that a plan of some thousand
	// resources has 50 MB.
	MaxPlan = 64 << 20

	// maxPlanDepth is how deep a plan may nest: people's configurations do not go
	// beyond ten modules, of three levels each, and as many blocks.
	maxPlanDepth = 256

	// maxPlanned is how many resources a plan may change or keep.
	maxPlanned = 100_000

	// planHead is how much of a file is looked at to find out whether it may be as
	// large as a plan. The version is what Terraform writes first.
	planHead = 64
)

var (
	errPlanLarge   = fmt.Errorf("is larger than %d MiB", MaxPlan>>20)
	errPlanErrored = errors.New("is a Terraform plan that ended in an error, and shows a part of what would be: plan again")
	errPlanMany    = fmt.Errorf("is a Terraform plan of more than %d resources: plan a part of them", maxPlanned)
)

// limitOf returns how many bytes a file may have that begins with head.
func limitOf(head []byte) int {
	if beginsAsPlan(head) {
		return MaxPlan
	}
	return MaxFile
}

// beginsAsPlan reports whether a file begins as `terraform show -json` does.
func beginsAsPlan(head []byte) bool {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	rest, ok := bytes.CutPrefix(bytes.TrimSpace(head), []byte("{"))
	return ok && bytes.HasPrefix(bytes.TrimSpace(rest), []byte(`"format_version"`))
}

// terraform takes what is a plan, and reports whether data is one or may be
// nothing else. A state and a schema begin as a plan does; they are left to others.
func (r *reader) terraform(data []byte) bool {
	if !bytes.Contains(data, []byte(`"format_version"`)) {
		return false
	}
	begins := beginsAsPlan(data)
	if !json.Valid(data) {
		if begins {
			r.fail(jsonError(json.Unmarshal(data, new(json.RawMessage)), data))
		}
		return begins
	}
	members, err := member{1, data}.members()
	switch {
	case err != nil && !begins:
		return false // whatever it is, others know what is wrong with it
	case err == nil && isPlan(members):
		err = r.plan(members)
	case err == nil && len(data) > MaxFile:
		err = errTooLarge
	case err == nil:
		return false
	}
	if err != nil {
		r.fail(err)
	}
	return true
}

// isPlan reports whether the members are those of a plan.
func isPlan(members map[string]member) bool {
	_, version := members["format_version"]
	_, planned := members["planned_values"]
	_, changes := members["resource_changes"]
	_, kind := members["kind"]
	return version && (planned || changes) && !kind
}

// A terraformPlan is what objects are made of.
type terraformPlan struct {
	config  *configuration
	known   *known
	changes member
}

// plan makes the objects of a plan: its variables, its providers, and each resource
// that will exist once it is applied.
func (r *reader) plan(members map[string]member) error {
	r.planned = true
	if err := checkPlan(members); err != nil {
		return err
	}
	var config *tfjson.Config
	if err := members["configuration"].decode(&config); err != nil {
		return err
	}
	places, variables, err := readVariables(members["variables"])
	if err != nil {
		return err
	}
	p := terraformPlan{config: newConfiguration(config), changes: members["resource_changes"]}
	if p.known, err = p.learn(variables, members["prior_state"]); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		r.keep(places[name].line, "variable", "var."+name, p.variable(name, variables[name]))
	}
	for _, key := range slices.Sorted(maps.Keys(p.config.providers)) {
		if address, spec := p.config.provider(key); spec != nil {
			r.keep(members["configuration"].line, "provider", address, spec)
		}
	}
	return p.each(func(line int, rc *tfjson.ResourceChange) {
		r.keep(line, rc.Type, rc.Address, p.resource(rc))
	})
}

// readVariables returns the variables of a plan and where they stand.
func readVariables(m member) (map[string]member, map[string]*tfjson.PlanVariable, error) {
	places, err := m.members()
	if err != nil {
		return nil, nil, err
	}
	variables := map[string]*tfjson.PlanVariable{}
	for name, place := range places {
		var v *tfjson.PlanVariable
		if err := place.decodeSmall(&v); err != nil {
			return nil, nil, err
		}
		variables[name] = v
	}
	return places, variables, nil
}

// checkPlan refuses what is not known or not complete.
func checkPlan(members map[string]member) error {
	var version string
	var errored bool
	if err := members["format_version"].decode(&version); err != nil {
		return err
	}
	if err := members["errored"].decode(&errored); err != nil {
		return err
	}
	if err := (&tfjson.Plan{FormatVersion: version}).Validate(); err != nil {
		return at(members["format_version"].line, fmt.Errorf("is a Terraform plan of format %q, which is not known", clip(version, 32)))
	}
	if errored {
		return at(members["errored"].line, errPlanErrored)
	}
	return nil
}

// each calls visit with each resource that will exist, in the order of the plan.
func (p *terraformPlan) each(visit func(line int, rc *tfjson.ResourceChange)) error {
	items, err := p.changes.items()
	if err != nil {
		return err
	}
	for _, item := range items {
		var rc tfjson.ResourceChange
		if err := item.decodeSmall(&rc); err != nil {
			return err
		}
		if willExist(&rc) {
			visit(item.line, &rc)
		}
	}
	return nil
}

// willExist reports whether a change leaves a resource, and not just a data source
// that was read or an object on its way out.
func willExist(rc *tfjson.ResourceChange) bool {
	if rc.Mode != tfjson.ManagedResourceMode || rc.DeposedKey != "" || rc.Change == nil || rc.Type == "" {
		return false
	}
	return slices.ContainsFunc(rc.Change.Actions, func(a tfjson.Action) bool {
		return a == tfjson.ActionCreate || a == tfjson.ActionUpdate || a == tfjson.ActionNoop
	})
}

// actionOf says in a word what becomes of a resource.
func actionOf(actions tfjson.Actions) string {
	if len(actions) > 1 {
		return "replace"
	}
	return string(actions[0])
}

// resource returns the spec of a resource.
func (p *terraformPlan) resource(rc *tfjson.ResourceChange) map[string]any {
	found := p.config.of(rc)
	after, _ := rc.Change.After.(map[string]any)
	written := p.configured(after, found)
	spec := map[string]any{
		"type": rc.Type, "name": rc.Name, "module": rc.ModuleAddress, "provider": rc.ProviderName, "action": actionOf(rc.Change.Actions),
		"values":     withheld(after, rc.Change.AfterSensitive),
		"unknown":    rc.Change.AfterUnknown,
		"sensitive":  rc.Change.AfterSensitive,
		"configured": written,
		"guarded":    guarded(rc.Type, written, rc.Change.AfterSensitive),
	}
	if rc.Index != nil {
		spec["index"] = rc.Index
	}
	if tagging := p.tagging(rc, found); tagging != nil {
		spec["tagging"] = tagging
	}
	return spec
}

// keep makes an object.
func (r *reader) keep(line int, kind, name string, spec map[string]any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false) // it would make six bytes of one
	err := enc.Encode(map[string]any{
		"apiVersion": TerraformAPIVersion, "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
	})
	if err != nil {
		r.fail(at(line, errors.New("write as JSON: a value cannot be written")))
		return
	}
	r.Objects = append(r.Objects, Object{
		JSON: bytes.TrimSpace(buf.Bytes()), APIVersion: TerraformAPIVersion, Kind: kind, Name: name, File: r.file, Line: line,
	})
}
