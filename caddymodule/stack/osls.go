package stack

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// ofOsls are the functions of osls's own custom resources. They answer at port 443, whichever port
// ResponseURL has.
var ofOsls = regexp.MustCompile(`:function:.*-custom-resource-(existing-s3|existing-cup|event-bridge|apigw-cw-role)$`)

// osls does what such a function is for, with the same names for what it makes: notifications of a
// bucket that the stack does not have. The other functions are for services that are not here.
func (w *Work) osls(ctx context.Context, kind, token string) error {
	switch {
	case strings.HasSuffix(token, "-existing-s3"):
	case kind == "Delete": // nothing was made
		return nil
	default:
		return sentence("ServiceToken is a function of osls that answers at port 443 alone, whichever port it is given: this server would wait for it in vain")
	}
	was, is := newOslsTarget(w.Old), newOslsTarget(w.New)
	if kind == "Delete" || kind == "Update" && was.name() != is.name() {
		if err := w.oslsLeaves(ctx, was); err != nil || kind == "Delete" {
			return err
		}
		kind = "Create"
	}
	if kind == "Create" {
		if err := w.oslsForbids(ctx, is); err != nil {
			return err
		}
		input := is.statement()
		input["Action"], input["Principal"] = "lambda:InvokeFunction", "s3.amazonaws.com"
		input["SourceArn"], input["SourceAccount"] = "arn:aws:s3:::"+is.bucket, w.engine.account().ID
		if _, err := w.call(ctx, "lambda", "AddPermission", input); err != nil {
			return err
		}
	}
	w.Note = "Hearth did what the function of osls is for, as that could not answer"
	return w.oslsNotifies(ctx, is, is.configurations(w.engine))
}

// An oslsTarget is a function and the bucket whose events it gets.
type oslsTarget struct {
	function, qualifier, bucket string
	configs                     []any
}

func newOslsTarget(p map[string]any) oslsTarget {
	return oslsTarget{text(p["FunctionName"]), text(p["FunctionQualifier"]), text(p["BucketName"]), listOf(p["BucketConfigs"])}
}

func (t oslsTarget) name() string { return t.function + ":" + t.qualifier + ":" + t.bucket }

// statement names the statement of the function's policy.
func (t oslsTarget) statement() map[string]any {
	id := t.function + "-" + strings.NewReplacer(".", "", ":", "", "*", "").Replace(t.bucket)
	input := map[string]any{"FunctionName": t.function, "StatementId": id[:min(len(id), 100)]}
	if t.qualifier != "" {
		input["Qualifier"] = t.qualifier
	}
	return input
}

// owns reports whether osls made a configuration for the function.
func (t oslsTarget) owns(f *xmlFunction) bool {
	sum, found := strings.CutPrefix(f.ID, t.function+"-")
	return found && len(sum) == 2*md5.Size && strings.Trim(sum, "0123456789abcdef") == ""
}

func (t oslsTarget) configurations(e *Engine) (all []xmlFunction) {
	arn := "arn:aws:lambda:" + e.account().Region + ":" + e.account().ID + ":function:" + t.function
	if t.qualifier != "" {
		arn += ":" + t.qualifier
	}
	for _, one := range t.configs {
		of, _ := one.(map[string]any)
		f := xmlFunction{Function: arn, Events: []string{text(of["Event"])}}
		sum := md5.New()
		sum.Write([]byte(f.Events[0]))
		for _, r := range listOf(of["Rules"]) {
			rule, _ := r.(map[string]any)
			for name, value := range rule { // one
				f.Rules = append(f.Rules, xmlRule{strings.ToLower(name), text(value)})
				sum.Write([]byte("\n" + name + "=" + text(value)))
			}
		}
		f.ID = t.function + "-" + hex.EncodeToString(sum.Sum(nil))
		all = append(all, f)
	}
	return all
}

// oslsNotifies replaces the configurations that osls made for the function in the bucket.
func (w *Work) oslsNotifies(ctx context.Context, t oslsTarget, all []xmlFunction) error {
	a, err := w.bucketNamed(ctx, t.bucket, http.MethodGet, "notification", nil)
	if err != nil {
		return err
	}
	var now xmlNotification
	if err := xml.Unmarshal(a.body.Bytes(), &now); err != nil {
		return err
	}
	now.Functions = append(slices.DeleteFunc(now.Functions, func(f xmlFunction) bool { return t.owns(&f) }), all...)
	_, err = w.bucketNamed(ctx, t.bucket, http.MethodPut, "notification", &now)
	return err
}

// oslsForbids takes the statement from the function's policy.
func (w *Work) oslsForbids(ctx context.Context, t oslsTarget) error {
	if _, err := w.call(ctx, "lambda", "RemovePermission", t.statement()); err != nil && !isNotFound(err) {
		return err
	}
	return nil
}

// oslsLeaves undoes what was made for a function and a bucket, which may be gone.
func (w *Work) oslsLeaves(ctx context.Context, t oslsTarget) error {
	if err := w.oslsNotifies(ctx, t, nil); err != nil && !isNotFound(err) {
		return err
	}
	return w.oslsForbids(ctx, t)
}
