package events

import (
	_ "embed"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// events.json is made of AWS's public service model (events/2015-10-07/service-2.json). To take
// over a newer one, run go generate with that file in EVENTS_MODEL.
//
//go:generate sh -c "go run ../model/condense corrections.json < \"$EVENTS_MODEL\" > events.json.new && mv events.json.new events.json"
//go:embed events.json
var table []byte

func newModel() *model.Model { return model.New(table) }
