package sts

import (
	_ "embed"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// sts.json is made of AWS's public service model (sts/2011-06-15/service-2.json). To take over
// a newer one, run go generate with that file in STS_MODEL. corrections.json has the operations
// that are answered.
//
//go:generate sh -c "go run ../model/condense corrections.json < \"$STS_MODEL\" > sts.json.new && mv sts.json.new sts.json"
//go:embed sts.json
var table []byte

func newModel() *model.Model { return model.New(table) }
