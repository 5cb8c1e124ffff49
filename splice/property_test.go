package splice_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/lintel-policy/lintel/resource"
	"github.com/lintel-policy/lintel/splice"
)

// TestOnlyWhatIsPatched makes changes up for the objects of real files and holds
// what comes out to four things: it reads as it should, lines that no operation is
// about are there as they were, all comments are, and what is done is not done again.
// LINTEL_CORPUS names a folder of more files.
func TestOnlyWhatIsPatched(t *testing.T) {
	t.Parallel()
	roots := []string{"../policies", "../e2e/testdata"}
	if more := os.Getenv("LINTEL_CORPUS"); more != "" {
		roots = append(roots, more)
	}
	made, refused := 0, 0
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for variant, text := range variants(data) {
				for seed := range uint64(3) {
					m, r := hold(t, fmt.Sprintf("%s (%s, seed %d)", path, variant, seed), text, seed)
					made, refused = made+m, refused+r
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d changes made, %d refused", made, refused)
	if made < 500 || refused > made/20 {
		t.Errorf("%d changes made and %d refused: what is refused should be rare", made, refused)
	}
}

// variants returns a file as it is, and as it is written elsewhere.
func variants(data []byte) map[string][]byte {
	all := map[string][]byte{"as it is": data, "no break at the end": bytes.TrimRight(data, "\r\n")}
	if !bytes.Contains(data, []byte("\r")) {
		all["CRLF"] = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
	}
	return all
}

// hold changes the objects of a file, holds the result to all that is promised, and
// returns how many changes were made and refused.
func hold(t *testing.T, name string, file []byte, seed uint64) (made, refused int) {
	t.Helper()
	read, changes, out := holdValues(t, name, file, seed)
	if read == nil {
		return 0, 0
	}
	for _, c := range changes {
		if c.Patch == nil {
			refused++
		} else {
			made++
		}
	}
	touched, gone := touchedLines(t, file, read, changes)
	if lost := lostLines(file, out, touched); lost > 0 {
		t.Errorf("%s: line %d is touched by no operation and is not there any more", name, lost)
	}
	for _, c := range lostComments(file, out, gone) {
		t.Errorf("%s: a comment is lost: %s", name, c)
	}
	return made, refused
}

// holdValues changes the objects of a file and holds that what comes out reads as it
// should. It returns the objects, what was done to them, which is nothing where it was
// refused, and the new file.
func holdValues(t *testing.T, name string, file []byte, seed uint64) ([]resource.Object, []splice.Change, []byte) {
	t.Helper()
	read := resource.Read(bytes.NewReader(file), "f")
	if len(read.Errors) > 0 || len(read.Objects) == 0 || !utf8.Valid(file) {
		return nil, nil, nil
	}
	h := fnv.New64()
	_, _ = h.Write(file)
	g := &generator{rand.New(rand.NewPCG(seed, h.Sum64()))}
	changes := make([]splice.Change, len(read.Objects))
	wanted := make([]any, len(read.Objects))
	for i, o := range read.Objects {
		wanted[i] = g.mutate(jsonOf(t, o.JSON), 3)
		ops, err := splice.Diff(o.JSON, o.JSON, marshal(t, wanted[i]))
		if err != nil {
			t.Fatalf("%s: Diff(...): %v", name, err)
		}
		if diff := gocmp.Diff(wanted[i], jsonOf(t, patchedBy(t, o.JSON, string(marshal(t, ops))))); diff != "" {
			t.Fatalf("%s: what Diff(...) makes: -want, +got:\n%s", name, diff)
		}
		changes[i] = splice.Change{Line: o.Line, Object: o.JSON, Patch: append([]splice.Operation{}, ops...)}
	}
	out, errs := splice.Apply(file, changes)
	for i, err := range errs {
		if err != nil {
			t.Logf("%s: %s on line %d: %v\n%s", name, read.Objects[i].Kind, read.Objects[i].Line, err, marshal(t, changes[i].Patch))
			wanted[i], changes[i].Patch = jsonOf(t, read.Objects[i].JSON), nil
		}
	}
	after := resource.Read(bytes.NewReader(out), "f")
	if len(after.Errors) > 0 || len(after.Objects) != len(wanted) {
		t.Fatalf("%s: what was made does not read: %v", name, after.Errors)
	}
	for i := range wanted {
		if diff := gocmp.Diff(wanted[i], jsonOf(t, after.Objects[i].JSON)); diff != "" {
			t.Errorf("%s: object %d: -want, +got:\n%s\n%s", name, i, diff, marshal(t, changes[i].Patch))
		}
	}
	if again, _ := splice.Apply(out, nothing(after.Objects)); !bytes.Equal(again, out) {
		t.Errorf("%s: nothing to do changes something", name)
	}
	return read.Objects, changes, out
}

// FuzzApply holds of any file that changes are made as they should be, or refused.
func FuzzApply(f *testing.F) {
	for _, seed := range []string{
		head + "metadata:\n  labels: &a {b: c}\nx: *a\ny:\n  <<: *a\n",
		head + "data:\n  a: |+ # c\n    x\n\n  b: >-2\n      y\n  ? c\n  : !!str d\n  \"e\" : 'f'\n  g:\n  - - h\n    - {i: j,}\n  - \n",
		"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod}\n- apiVersion: v1\n  kind: Pod # x\n...\n",
		"{\"apiVersion\": \"v1\",\n\t\"kind\": \"Pod\", \"a\": [ 1 , {} ] }{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}",
		"# c\n---\n" + head + "a: plain\n  text # c\n---\r\n" + strings.ReplaceAll(head, "\n", "\r\n") + "a: \"b\r\n  c\"",
		head + "&a b: !!null\n!!str c: &d\n- e: [f: g, h]\n-   i: j\n    k: l",
	} {
		f.Add([]byte(seed), uint64(1))
	}
	f.Add([]byte("apiVersion: X0\nkind: 01B\nY:"), uint64(33))
	f.Add([]byte("apiVersion: A1\nkind: B\n0000:\n  0: #0\n  ? 8"), uint64(0))
	f.Fuzz(func(t *testing.T, file []byte, seed uint64) { holdValues(t, "file", file, seed) })
}

func nothing(objects []resource.Object) []splice.Change {
	var changes []splice.Change
	for _, o := range objects {
		changes = append(changes, splice.Change{Line: o.Line, Object: o.JSON})
	}
	return changes
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A generator makes changes up.
type generator struct{ *rand.Rand }

// mutate changes a few things below v.
func (g *generator) mutate(v any, times int) any {
	for range times {
		v = g.once(v, 0)
	}
	return v
}

func (g *generator) once(v any, depth int) any {
	switch v := v.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		if depth == 0 {
			keys = slices.DeleteFunc(keys, func(k string) bool { return k == "apiVersion" || k == "kind" || k == "items" })
		}
		if len(keys) == 0 || g.IntN(6) == 0 {
			v[g.key()] = g.value(2)
			return v
		}
		key := keys[g.IntN(len(keys))]
		switch g.IntN(8) {
		case 0:
			delete(v, key)
		case 1:
			v[key] = g.value(2)
		default:
			v[key] = g.once(v[key], depth+1)
		}
		return v
	case []any:
		i := g.IntN(len(v) + 1)
		switch {
		case g.IntN(3) == 0:
			return slices.Insert(v, i, g.value(2))
		case i == len(v):
			return append(v, g.value(2))
		case g.IntN(3) == 0: //nolint:gocritic // drawn anew
			return slices.Delete(v, i, i+1)
		}
		v[i] = g.once(v[i], depth+1)
		return v
	}
	if g.IntN(4) == 0 {
		return v
	}
	return g.value(1)
}

func (g *generator) key() string {
	keys := []string{"team", "example.com/x", "true", "1", "a b", "x: y", "#", "name"}
	return keys[g.IntN(len(keys))]
}

func (g *generator) value(depth int) any {
	scalars := []any{
		"shop", "true", "1", "null", "on", "a: b", "a #b", "", "- x", "{}", "100m", "0x1f", "é\u2028\u0007", "two\nlines\n", "it's \"quoted\"", " x ",
		float64(1), 0.5, true, nil, map[string]any{}, []any{}, strings.Repeat("long ", 60), "nginx:1.29@sha256:abc", "1:30", "=", "<<", "&a", "*a", "!a", "%a", "@a", "`a", "|", ">", "---", "...", "a,b", "[a", "?", "? a", ":", "a:",
	}
	if depth == 0 || g.IntN(3) > 0 {
		return scalars[g.IntN(len(scalars))]
	}
	if g.IntN(2) == 0 {
		return []any{g.value(depth - 1), g.value(depth - 1)}
	}
	return map[string]any{g.key(): g.value(depth - 1), g.key(): g.value(depth - 1)}
}

// touchedLines returns the lines of a file that operations are about: those of what
// is replaced or removed, and those of what something is put into if it is not a
// block to which lines can be added. Those are gone of which comments may be, too.
func touchedLines(t *testing.T, file []byte, objects []resource.Object, changes []splice.Change) (touched, gone map[int]bool) {
	t.Helper()
	touched, gone = map[int]bool{}, map[int]bool{}
	spans := spansOf(t, file)
	lines := strings.Split(string(file), "\n")
	for i, c := range changes {
		removed := map[string]int{}
		for _, op := range c.Patch {
			path := pathOf(objects[i], op.Path)
			if parent := path[:len(path)-1]; op.Op == "remove" {
				removed[fmt.Sprint(parent)]++
				if removed[fmt.Sprint(parent)] == sizeOf(objects[i], parent) { // brackets are left
					touched[objects[i].LineOf(parent)] = true
				}
			}
			if op.Op == "add" {
				path = path[:len(path)-1]
			}
			from := objects[i].LineOf(path)
			span := spans.at(from, path)
			if op.Op == "add" && span.isBlock {
				continue
			}
			if op.Op == "remove" && len(path) > 1 && from == objects[i].LineOf(path[:len(path)-1]) { // what follows goes behind the dash
				touched[span.end+1] = true
			}
			for line := from - span.comments; line <= span.end; line++ {
				touched[line] = true
				gone[line] = gone[line] || op.Op == "remove" || op.Op == "replace" && (span.end > from || strings.Contains(lines[line-1], "#"))
			}
		}
	}
	return touched, gone
}

// pathOf returns a JSON pointer as a path in an object.
func pathOf(o resource.Object, pointer string) []any {
	var path []any
	v := any(nil)
	_ = json.Unmarshal(o.JSON, &v)
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		if list, ok := v.([]any); ok {
			i, _ := strconv.Atoi(step)
			path = append(path, i)
			if v = nil; i < len(list) {
				v = list[i]
			}
			continue
		}
		fields, _ := v.(map[string]any)
		v = fields[step]
		path = append(path, step)
	}
	return path
}

// sizeOf returns how much is in the container at path.
func sizeOf(o resource.Object, path []any) int {
	v := any(nil)
	_ = json.Unmarshal(o.JSON, &v)
	for _, step := range path {
		if i, ok := step.(int); ok {
			v = v.([]any)[i]
		} else {
			v = v.(map[string]any)[step.(string)]
		}
	}
	if list, ok := v.([]any); ok {
		return len(list)
	}
	return len(v.(map[string]any))
}

// A span is what there is from a line on.
type span struct {
	key      string
	end      int // the last line
	comments int // how many lines directly above are comments
	isBlock  bool
}

type spans map[int][]span

// at returns the span of the field that begins on a line.
func (s spans) at(line int, path []any) span {
	key := fmt.Sprint(path[max(len(path)-1, 0):])
	for _, one := range s[line] {
		if one.key == key {
			return one
		}
	}
	found := span{end: line}
	for _, one := range s[line] {
		found.end = max(found.end, one.end)
		found.comments = max(found.comments, one.comments)
	}
	return found
}

// spansOf finds with the parser where fields and items begin, and that they reach to
// the line before what follows them.
func spansOf(t *testing.T, file []byte) spans {
	t.Helper()
	found := spans{}
	text := strings.ReplaceAll(strings.TrimPrefix(string(file), "\ufeff"), "\r\n", "\n")
	lines := strings.Split(text, "\n")
	start := 0
	for i := 0; i <= len(lines); i++ {
		if i < len(lines) && !strings.HasPrefix(lines[i], "---") {
			continue
		}
		var root yaml.Node
		if err := yaml.Unmarshal([]byte(strings.Join(lines[start:i], "\n")+"\n"), &root); err == nil && len(root.Content) > 0 {
			found.collect(lines, root.Content[0], start, i)
		}
		start = i + 1
	}
	return found
}

// collect adds what is in n, which ends before the line (from 0) given.
func (s spans) collect(lines []string, n *yaml.Node, offset, end int) {
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	for i := 0; i+step <= len(n.Content); i += step {
		first, value := n.Content[i], n.Content[i+step-1]
		next := end
		if i+step < len(n.Content) {
			next = n.Content[i+step].Line - 1 + offset
		}
		next = max(next, first.Line+offset) // on one line
		key := fmt.Sprint([]any{first.Value})
		if step == 1 {
			key = fmt.Sprint([]any{i})
		}
		one := span{key: key, end: next, isBlock: value.Kind != yaml.ScalarNode && value.Kind != yaml.AliasNode && value.Style&yaml.FlowStyle == 0}
		for above := first.Line + offset - 2; above >= 0 && strings.HasPrefix(strings.TrimSpace(lines[above]), "#"); above-- {
			one.comments++
		}
		line := first.Line + offset
		s[line] = append(s[line], one)
		s.collect(lines, value, offset, next)
	}
}

// lostLines returns the first line of before that no operation is about and that is
// not in after, in its order; 0 if there is none.
func lostLines(before, after []byte, touched map[int]bool) int {
	rest := strings.SplitAfter(string(after), "\n")
	lines := strings.SplitAfter(string(before), "\n")
	for i, line := range lines {
		if touched[i+1] || line == "" {
			continue
		}
		if i+1 == len(lines) || i+2 == len(lines) && lines[i+1] == "" { // lines may follow it now, or none
			line = strings.TrimRight(line, "\r\n")
		}
		if !strings.HasSuffix(string(before), "\n") && len(rest) > 0 && strings.TrimRight(line, "\r\n") == rest[len(rest)-1] {
			line = rest[len(rest)-1] // it is the last one now
		}
		at := slices.IndexFunc(rest, func(l string) bool { return l == line || strings.TrimRight(l, "\r\n") == line })
		if at < 0 {
			return i + 1
		}
		rest = rest[at+1:]
	}
	return 0
}

// lostComments returns the comments of before that are not in after although no
// operation takes them out.
func lostComments(before, after []byte, gone map[int]bool) []string {
	left := map[string]int{}
	for line := range strings.SplitSeq(string(after), "\n") {
		left[commentOf(line)]++
	}
	var lost []string
	for i, line := range strings.Split(string(before), "\n") {
		c := commentOf(line)
		if c == "" || gone[i+1] {
			continue
		}
		if left[c]--; left[c] < 0 {
			lost = append(lost, c)
		}
	}
	slices.SortFunc(lost, cmp.Compare)
	return lost
}

func commentOf(line string) string {
	if _, c, ok := strings.Cut(" "+strings.TrimSpace(line), " #"); ok {
		return c
	}
	return ""
}
