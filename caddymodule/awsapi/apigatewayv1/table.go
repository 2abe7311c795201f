package apigatewayv1

import (
	_ "embed"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// apigateway.json is made of AWS's public service model (apigateway/2015-07-09/service-2.json).
// To take over a newer one, run go generate with that file in APIGATEWAY_MODEL. corrections.json
// has what AWS's answers show and its model does not say.
//
//go:generate sh -c "go run ../model/condense corrections.json < \"$APIGATEWAY_MODEL\" > apigateway.json.new && mv apigateway.json.new apigateway.json"
//go:embed apigateway.json
var table []byte

func newModel() *model.Model { return model.New(table) }
