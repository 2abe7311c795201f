package lambda

import (
	_ "embed"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// lambda.json is made of AWS's public service model (lambda/2015-03-31/service-2.json). To
// take over a newer one, run go generate with that file in LAMBDA_MODEL. corrections.json
// has what AWS's answers show and its model does not say.
//
//go:generate sh -c "go run ../model/condense corrections.json < \"$LAMBDA_MODEL\" > lambda.json.new && mv lambda.json.new lambda.json"
//go:embed lambda.json
var table []byte

func newModel() *model.Model { return model.New(table) }
