package apigatewayv1

import (
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi"
	"github.com/hearthfn/hearth/caddymodule/awsapi/apigatewayv2"
	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
)

// A tree has the resources of an API while a document is imported.
type tree struct {
	e      *document.Edit
	byPath map[string]*Resource
	dirty  map[string]*Resource // by ID
}

// maxPath bounds a path, in bytes, and so how deep it is.
const maxPath = 4 << 10

// resource is the resource of a path, which is made if it is not there.
func (t *tree) resource(path string) (*Resource, error) {
	if path != "/" {
		path = strings.TrimSuffix(path, "/")
	}
	if !strings.HasPrefix(path, "/") || len(path) > maxPath {
		return nil, invalid("The path %.100q does not begin with /, or has more than %d bytes", path, maxPath)
	}
	if r := t.byPath[path]; r != nil {
		return r, nil
	}
	if len(t.byPath) >= maxResources {
		return nil, &awsapi.Exception{Name: "LimitExceededException", Message: "Maximum number of Resources for this API has been reached"}
	}
	slash := strings.LastIndexByte(path, '/')
	parent, err := t.resource(path[:max(slash, 1)])
	if err != nil {
		return nil, err
	}
	r := &Resource{Id: apigatewayv2.NewID(6), ParentId: parent.Id, PathPart: path[slash+1:]}
	if err := r.check(&t.e.Set); err != nil {
		return nil, err
	}
	if err := t.e.Put(docResource+r.Id, r); err != nil {
		return nil, err
	}
	t.byPath[r.Path] = r
	return r, nil
}

// changed has a resource put in the end.
func (t *tree) changed(r *Resource) {
	if t.dirty == nil {
		t.dirty = make(map[string]*Resource)
	}
	t.dirty[r.Id] = r
}

func (t *tree) put() error {
	for id, r := range t.dirty {
		if err := t.e.Put(docResource+id, r); err != nil {
			return err
		}
	}
	return nil
}
