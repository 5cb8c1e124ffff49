package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/engine"
)

// pageSize is how many objects are asked for at once, as kubectl does it: more would
// be a burden on the API server and on memory.
const pageSize = 500

// A lister lists objects as the bytes that the API server sends.
type lister struct {
	client    rest.Interface
	namespace string // "" is all
}

// A page is a part of a list.
type page struct {
	Metadata struct {
		Continue string `json:"continue"`
	} `json:"metadata"`
	Items []json.RawMessage `json:"items"`
}

// list calls each with every object of a kind, as JSON.
func (l *lister) list(ctx context.Context, kind Kind, each func(object []byte)) error {
	// The items of a list of a built-in kind do not say what they are.
	apiVersion, name := kind.ToAPIVersionAndKind()
	head := `{"apiVersion":` + strconv.Quote(apiVersion) + `,"kind":` + strconv.Quote(name) + `,`
	for token := ""; ; {
		p, err := l.page(ctx, kind, token)
		if err != nil {
			return fmt.Errorf("list %s: %w", kind.GroupVersion().WithResource(kind.Resource).GroupResource(), err)
		}
		for _, object := range p.Items {
			each(append([]byte(head), object[1:]...))
		}
		if token = p.Metadata.Continue; token == "" {
			return nil
		}
	}
}

// page reads one page. A list that takes so long that its state is forgotten goes on
// with what there is now: none is left out that was there all the time.
func (l *lister) page(ctx context.Context, kind Kind, token string) (page, error) {
	p, err := l.get(ctx, kind, token)
	var status apierrors.APIStatus
	if token != "" && apierrors.IsResourceExpired(err) && errors.As(err, &status) && status.Status().Continue != "" {
		return l.get(ctx, kind, status.Status().Continue)
	}
	return p, err
}

func (l *lister) get(ctx context.Context, kind Kind, token string) (page, error) {
	req := l.client.Get().AbsPath(l.path(kind)).SetHeader("Accept", "application/json").Param("limit", strconv.Itoa(pageSize))
	if token != "" {
		req = req.Param("continue", token)
	}
	var p page
	data, err := answer(req.Do(ctx))
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("read the answer: %w", err)
	}
	return p, nil
}

// answer returns what the API server sends, or what it says is wrong, which Raw has not.
func answer(result rest.Result) ([]byte, error) {
	if err := result.Error(); err != nil {
		return nil, err
	}
	return result.Raw()
}

// one reads the Namespace that l is limited to: whoever may read what is in a namespace
// may not always list them.
func (l *lister) one(ctx context.Context) (*engine.Object, error) {
	data, err := answer(l.client.Get().AbsPath("/api/v1/namespaces/"+l.namespace).SetHeader("Accept", "application/json").Do(ctx))
	if err != nil {
		return nil, fmt.Errorf("read the namespace: %w", err)
	}
	return engine.DecodeObject(data)
}

func (l *lister) path(kind Kind) string {
	path := "/apis/" + kind.Group + "/" + kind.Version
	if kind.Group == "" {
		path = "/api/" + kind.Version
	}
	if kind.Namespaced && l.namespace != "" {
		path += "/namespaces/" + l.namespace
	}
	return path + "/" + kind.Resource
}
