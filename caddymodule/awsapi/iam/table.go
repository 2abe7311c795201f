package iam

import (
	_ "embed"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// iam.json is made of AWS's public service model (iam/2010-05-08/service-2.json). To take over
// a newer one, run go generate with that file in IAM_MODEL. corrections.json has the operations
// that are answered.
//
//go:generate sh -c "go run ../model/condense corrections.json < \"$IAM_MODEL\" > iam.json.new && mv iam.json.new iam.json"
//go:embed iam.json
var table []byte

func newModel() *model.Model { return model.New(table) }
