package ssm

import (
	_ "embed"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// ssm.json is made of AWS's public service model (ssm/2014-11-06/service-2.json). To take over
// a newer one, run go generate with that file in SSM_MODEL. corrections.json has the operations
// that are answered.
//
//go:generate sh -c "go run ../model/condense corrections.json < \"$SSM_MODEL\" > ssm.json.new && mv ssm.json.new ssm.json"
//go:embed ssm.json
var table []byte

func newModel() *model.Model { return model.New(table) }
