package iam

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// managed.json has documents of AWS's own managed policies, by path and name: those that
// functions often have.
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
//
//go:embed managed.json
var managedTable []byte

// ownedByAWS begins the ARN of a managed policy of AWS's own.
const ownedByAWS = "arn:aws:iam::aws:policy/"

// A known policy is one of managed.json.
type known struct {
	Version          string
	Created, Updated time.Time
	Document         json.RawMessage
}

// managed are the policies of managed.json by ARN.
var managed = sync.OnceValue(func() map[string]known {
	var table map[string]known
	if err := json.Unmarshal(managedTable, &table); err != nil {
		panic(err) // it is part of the program
	}
	byARN := make(map[string]known, len(table))
	for name, k := range table {
		byARN[ownedByAWS+name] = k
	}
	return byARN
})

// split is the path and the name in the ARN of a policy.
func split(arn string) (path, name string) {
	_, rest, _ := strings.Cut(arn, ":policy/")
	at := strings.LastIndex(rest, "/") + 1
	return "/" + rest[:at], rest[at:]
}

// ofAWS is a managed policy of AWS's own. Any ARN that is one's by its form is taken, because
// AWS has more than a thousand, but not one that has a known name under another path.
func ofAWS(arn string) (*policy, bool) {
	rest, found := strings.CutPrefix(arn, ownedByAWS)
	path, name := split(arn)
	if !found || name == "" || strings.HasPrefix(rest, "/") || strings.ContainsAny(rest, ":*? ") {
		return nil, false
	}
	p := &policy{Path: path, PolicyName: name, ARN: arn, Default: "v1", Versions: []version{{ID: "v1"}}}
	if k, found := managed()[arn]; found {
		p.CreateDate, p.UpdateDate, p.Default = k.Created, k.Updated, k.Version
		p.Versions[0] = version{k.Version, string(k.Document), k.Updated}
		return p, true
	}
	for other := range managed() {
		if strings.HasSuffix(other, "/"+name) {
			return nil, false
		}
	}
	return p, true
}
