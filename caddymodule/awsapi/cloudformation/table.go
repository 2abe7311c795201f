package cloudformation

import (
	_ "embed"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// cloudformation.json is made of AWS's public service model
// (cloudformation/2010-05-15/service-2.json). To take over a newer one, run go generate with that
// file in CLOUDFORMATION_MODEL. corrections.json has the operations that are answered.
// DeploymentConfig and ForceRollback, which the CDK sends, were added by hand: the model was older.
//
//go:generate sh -c "go run ../model/condense corrections.json < \"$CLOUDFORMATION_MODEL\" > cloudformation.json.new && mv cloudformation.json.new cloudformation.json"
//go:embed cloudformation.json
var table []byte

func newModel() *model.Model { return model.New(table) }
