package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/engine"
)

// pageSize is how many objects are asked for at once, as kubectl does it: more would
// be a burden on the API server.
const pageSize = 500

// A lister lists objects as the bytes that the API server sends.
type lister struct {
	client    rest.Interface
	namespace string // "" is all
}

// list calls each with every object of a kind, as JSON, one at a time. It returns the
// version of the list, after which a watch goes on.
func (l *lister) list(ctx context.Context, kind Kind, each func(object []byte)) (version string, err error) {
	head := kind.head()
	for token := ""; ; {
		meta, err := l.page(ctx, kind, token, func(object []byte) { each(append(head[:len(head):len(head)], object[1:]...)) })
		if err != nil {
			return "", fmt.Errorf("list %s: %w", kind.GroupVersion().WithResource(kind.Resource).GroupResource(), err)
		}
		if version == "" {
			version = meta.ResourceVersion // what came after it is seen once more
		}
		if token = meta.Continue; token == "" {
			return version, nil
		}
	}
}

// head is the beginning of an object of the kind: the items of a list of a built-in
// kind do not say what they are.
func (k Kind) head() []byte {
	apiVersion, kind := k.ToAPIVersionAndKind()
	return []byte(`{"apiVersion":` + strconv.Quote(apiVersion) + `,"kind":` + strconv.Quote(kind) + `,`)
}

// page reads one page. A list that takes so long that its state is forgotten goes on
// with what there is now: none is left out that was there all the time.
func (l *lister) page(ctx context.Context, kind Kind, token string, each func(object []byte)) (metav1.ListMeta, error) {
	meta, err := l.get(ctx, kind, token, each)
	var status apierrors.APIStatus
	if token != "" && apierrors.IsResourceExpired(err) && errors.As(err, &status) && status.Status().Continue != "" {
		return l.get(ctx, kind, status.Status().Continue, each)
	}
	return meta, err
}

func (l *lister) get(ctx context.Context, kind Kind, token string, each func(object []byte)) (metav1.ListMeta, error) {
	req := l.request(kind).Param("limit", strconv.Itoa(pageSize))
	if token != "" {
		req = req.Param("continue", token)
	}
	body, err := req.Stream(ctx)
	if err != nil {
		return metav1.ListMeta{}, err
	}
	defer func() { _ = body.Close() }() // it was read, or is of no use any more
	meta, err := readList(body, each)
	if err != nil {
		return meta, fmt.Errorf("read the answer: %w", err)
	}
	return meta, nil
}

func (l *lister) request(kind Kind) *rest.Request {
	path := "/apis/" + kind.Group + "/" + kind.Version
	if kind.Group == "" {
		path = "/api/" + kind.Version
	}
	if kind.Namespaced && l.namespace != "" {
		path += "/namespaces/" + l.namespace
	}
	return l.client.Get().AbsPath(path+"/"+kind.Resource).SetHeader("Accept", "application/json")
}

// readList reads a list as it comes in, so that a page of large objects takes no more
// memory than one of them.
func readList(r io.Reader, each func(object []byte)) (meta metav1.ListMeta, err error) {
	d := json.NewDecoder(r)
	if err := expect(d, json.Delim('{')); err != nil {
		return meta, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return meta, err
		}
		switch key {
		case "metadata":
			err = d.Decode(&meta)
		case "items":
			err = readItems(d, each)
		default:
			err = d.Decode(new(json.RawMessage))
		}
		if err != nil {
			return meta, err
		}
	}
	return meta, expect(d, json.Delim('}'))
}

func readItems(d *json.Decoder, each func(object []byte)) error {
	if err := expect(d, json.Delim('[')); err != nil {
		return err
	}
	for d.More() {
		var object json.RawMessage
		if err := d.Decode(&object); err != nil {
			return err
		}
		each(object)
	}
	return expect(d, json.Delim(']'))
}

func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err == nil && got != want {
		err = fmt.Errorf("there is something else where %q should be", want.String())
	}
	return err
}

// one reads the Namespace that l is limited to: whoever may read what is in a namespace
// may not always list them.
func (l *lister) one(ctx context.Context) (*engine.Object, error) {
	data, err := sent(l.client.Get().AbsPath("/api/v1/namespaces/"+l.namespace).SetHeader("Accept", "application/json").Do(ctx))
	if err != nil {
		return nil, fmt.Errorf("read the namespace: %w", err)
	}
	return engine.DecodeObject(data)
}

// sent returns what the API server sent, or what it says is wrong, which Raw has not.
func sent(result rest.Result) ([]byte, error) {
	if err := result.Error(); err != nil {
		return nil, err
	}
	return result.Raw()
}

// isRefused reports whether an error is the API server's word that something cannot be,
// rather than that it cannot be now.
func isRefused(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code >= http.StatusBadRequest && code < http.StatusInternalServerError && code != http.StatusTooManyRequests
}

// A change is one event of a watch.
type change struct {
	Type   string // ADDED, MODIFIED, DELETED, BOOKMARK or ERROR
	Object json.RawMessage
}

// errForgotten says that what a watch was to go on from is forgotten.
var errForgotten = errors.New("the API server has forgotten where to go on from")

// A watch that tells of nothing, since whoever answers hangs, cannot be told from one of
// what does not change. So the API server is asked to end each after watchFor, from where
// another goes on, and one that it has not ended by watchGrace later is given up.
const (
	watchFor   = 10 * time.Minute
	watchGrace = time.Minute
)

// watch calls each with what changes after version, until the API server ends the
// watch or ctx ends, and begun before. It returns the version to go on from.
func (l *lister) watch(ctx context.Context, kind Kind, version string, begun func(), each func(change)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, watchFor+watchGrace)
	defer cancel()
	req := l.request(kind).Param("watch", "true").Param("allowWatchBookmarks", "true").Param("resourceVersion", version).
		Param("timeoutSeconds", strconv.Itoa(int(watchFor.Seconds())))
	body, err := req.Stream(ctx)
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return version, errForgotten
	}
	if err != nil {
		return version, err
	}
	defer func() { _ = body.Close() }()
	begun()
	for d := json.NewDecoder(body); ; {
		c, err := readChange(d)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return version, err
		}
		if c.Type == "ERROR" {
			return version, watchError(c.Object)
		}
		id, err := identify(c.Object)
		if err != nil {
			return version, err
		}
		version = id.ResourceVersion
		if c.Type != "BOOKMARK" {
			each(c)
		}
	}
}

// readChange reads an event. Its object may be nested as deeply as the decoder takes, so
// it is decoded for itself. The error is io.EOF where there is none any more.
func readChange(d *json.Decoder) (c change, err error) {
	if err := expect(d, json.Delim('{')); err != nil {
		return c, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return c, err
		}
		switch key {
		case "type":
			err = d.Decode(&c.Type)
		case "object":
			err = d.Decode(&c.Object)
		default:
			err = d.Decode(new(json.RawMessage))
		}
		if err != nil {
			return c, err
		}
	}
	return c, expect(d, json.Delim('}'))
}

func watchError(object []byte) error {
	var status metav1.Status
	if err := json.Unmarshal(object, &status); err != nil {
		return err
	}
	if status.Code == http.StatusGone {
		return errForgotten
	}
	return &apierrors.StatusError{ErrStatus: status}
}

// An identity is what tells objects of a kind apart, and their versions.
type identity struct{ Namespace, Name, ResourceVersion string }

func identify(object []byte) (identity, error) {
	var o struct{ Metadata identity }
	err := json.Unmarshal(object, &o)
	return o.Metadata, err
}
