package apigatewayv2

import (
	_ "embed"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// apigatewayv2.json is made of AWS's public service model
// (apigatewayv2/2018-11-29/service-2.json). To take over a newer one, run go generate with
// that file in APIGATEWAYV2_MODEL.
//
//go:generate sh -c "go run ../model/condense < \"$APIGATEWAYV2_MODEL\" > apigatewayv2.json.new && mv apigatewayv2.json.new apigatewayv2.json"
//go:embed apigatewayv2.json
var table []byte

func newModel() *model.Model { return model.New(table) }
