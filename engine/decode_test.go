package engine_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/lintel-policy/lintel/engine"
)

// decoded returns what engine.DecodeObject makes of text, as plain values.
func decoded(text string) (any, error) {
	object, err := engine.DecodeObject([]byte(text))
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var v map[string]any
	return v, utiljson.Unmarshal(data, &v)
}

func TestDecodeObject(t *testing.T) {
	cases := map[string]struct {
		reason string
		text   string
		want   map[string]any
	}{
		"KeysAsSpelt": {
			reason: "The API server tells keys apart by case, so a second spelling hides nothing.",
			text:   `{"containers":[1],"Containers":[2]}`,
			want:   map[string]any{"containers": []any{int64(1)}, "Containers": []any{int64(2)}},
		},
		"LastOfEqualKeys": {
			reason: "What is stored is the last of several equal keys.",
			text:   `{"a":1,"b":2,"a":3}`,
			want:   map[string]any{"a": int64(3), "b": int64(2)},
		},
		"LastOfManyEqualKeys": {
			reason: "Large objects look for repeats in another way.",
			text:   `{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"k":11,"l":12,"m":13,"n":14,"a":15}`,
			want: map[string]any{"a": int64(15), "b": int64(2), "c": int64(3), "d": int64(4), "e": int64(5), "f": int64(6), "g": int64(7),
				"h": int64(8), "i": int64(9), "j": int64(10), "k": int64(11), "l": int64(12), "m": int64(13), "n": int64(14)},
		},
		"LargeInteger": {
			reason: "An integer keeps every digit.",
			text:   `{"a":9007199254740993,"b":-9223372036854775808}`,
			want:   map[string]any{"a": int64(9007199254740993), "b": int64(-9223372036854775808)},
		},
		"EscapedKey": {
			reason: "A key written with escapes is the key that they stand for.",
			text:   `{"\u0061":"\ud83d\ude00","b":"\ud800"}`,
			want:   map[string]any{"a": "😀", "b": "\ufffd"},
		},
		"InvalidUTF8": {
			reason: "Broken bytes are replaced as the API server replaces them.",
			text:   "{\"a\":\"x\xffy\"}",
			want:   map[string]any{"a": "x\ufffdy"},
		},
		"ManagedFields": {
			reason: "They are half of many objects and no policy reads them.",
			text:   `{"metadata":{"managedFields":[{"a":{"b":[1,"x",null,true]}}],"name":"x"},"managedFields":1}`,
			want:   map[string]any{"metadata": map[string]any{"name": "x"}, "managedFields": int64(1)},
		},
		"Secret": {
			reason: "What no policy sees, none can repeat.",
			text:   `{"apiVersion":"v1","kind":"Secret","data":{"a":"b"},"stringData":{"c":"d"},"type":"Opaque","metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"x","y":"z"}}}`,
			want:   map[string]any{"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": map[string]any{"annotations": map[string]any{"y": "z"}}},
		},
		"White space": {
			reason: "White space may stand between any two tokens.",
			text:   " { \"a\" : [ 1 , 2 ] ,\n\t\"b\" : { } , \"c\" : [ ] }\r\n",
			want:   map[string]any{"a": []any{int64(1), int64(2)}, "b": map[string]any{}, "c": []any{}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := decoded(tc.text)
			if err != nil {
				t.Fatalf("%s\nDecodeObject(...): %v", tc.reason, err)
			}
			if diff := cmp.Diff(any(tc.want), got); diff != "" {
				t.Errorf("%s\nDecodeObject(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestDecodeObjectRefuses(t *testing.T) {
	cases := map[string]string{
		"Empty":              ``,
		"Null":               `null`,
		"Array":              `[]`,
		"TrailingData":       `{} {}`,
		"TrailingComma":      `{"a":1,}`,
		"NoColon":            `{"a" 1}`,
		"BareKey":            `{a:1}`,
		"SingleQuotes":       `{'a':1}`,
		"Comment":            `{"a":1} // x`,
		"Unterminated":       `{"a":"x`,
		"UnterminatedEscape": `{"a":"x\`,
		"BadEscape":          `{"a":"\x"}`,
		"ControlCharacter":   "{\"a\":\"x\ny\"}",
		"NUL":                "{\"a\":1}\x00",
		"LeadingZero":        `{"a":01}`,
		"BarePoint":          `{"a":.5}`,
		"PointWithoutDigits": `{"a":1.}`,
		"Plus":               `{"a":+1}`,
		"NotANumber":         `{"a":NaN}`,
		"TooLargeForFloat":   `{"a":1e400}`,
		"HugeExponent":       `{"a":1e1000000000}`,
		"SkippedHugeNumber":  `{"metadata":{"managedFields":1e400}}`,
		"LongInteger":        `{"a":1` + strings.Repeat("0", 400) + `}`,
		"YAML":               "a: 1\n",
		"TooDeep":            strings.Repeat(`{"a":`, 10_001) + "1" + strings.Repeat("}", 10_001),
		"FarTooDeep":         strings.Repeat("[", 5_000_000),
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			if got, err := decoded(text); err == nil {
				t.Errorf("DecodeObject(%.40q): got %v, want an error", text, got)
			}
		})
	}
}

func TestDecodeErrorsRepeatNoValues(t *testing.T) {
	for _, text := range []string{`{"password":"hunter2\x"}`, `{"password":hunter2}`, `{"a":"hunter2"`, `{"hunter2":"b" "c"}`} {
		_, err := engine.DecodeObject([]byte(text))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("DecodeObject(%q): error %v, want one without the text of the object", text, err)
		}
	}
}

// FuzzDecodeObject holds the decoder to the one of k8s.io/apimachinery, by which
// the API server reads.
func FuzzDecodeObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":{"b":[1,2.5,-0,1e3,"x",null,true,false]}}`, `{"a":1,"a":{"b":2}}`, `{"a":"\ud800\u0000é"}`,
		`{"a":1e400}`, `{"metadata":{"name":"x"}}`, ` {"a" : [ ] } `, `{"a":9223372036854775808}`, "{\"\xff\":\"\xff\"}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var want map[string]any
		wantErr := utiljson.Unmarshal([]byte(text), &want)
		if meta, ok := want["metadata"].(map[string]any); ok {
			if _, managed := meta["managedFields"]; managed {
				t.Skip("managedFields are set aside")
			}
		}
		if want["kind"] == "Secret" || want == nil && wantErr == nil {
			t.Skip("secrets are withheld, and null is no object")
		}
		got, err := decoded(text)
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("DecodeObject(%q): error %v, apimachinery has %v", text, err, wantErr)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(any(want), got); diff != "" {
			t.Errorf("DecodeObject(%q): -apimachinery, +got:\n%s", text, diff)
		}
	})
}
