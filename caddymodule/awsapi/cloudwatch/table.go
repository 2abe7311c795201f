package cloudwatch

import (
	_ "embed"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// cloudwatch.json is made of AWS's public service model (cloudwatch/2010-08-01/service-2.json). To
// take over a newer one, run go generate with that file in CLOUDWATCH_MODEL. corrections.json has
// the operations that are answered.
//
//go:generate sh -c "go run ../model/condense corrections.json < \"$CLOUDWATCH_MODEL\" > cloudwatch.json.new && mv cloudwatch.json.new cloudwatch.json"
//go:embed cloudwatch.json
var table []byte

func newModel() *model.Model { return model.New(table) }
