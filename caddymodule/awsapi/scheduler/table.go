package scheduler

import (
	_ "embed"

	"github.com/hearthfn/hearth/caddymodule/awsapi/model"
)

// scheduler.json is made of AWS's public service model (scheduler/2021-06-30/service-2.json). To take
// over a newer one, run go generate with that file in SCHEDULER_MODEL.
//
//go:generate sh -c "go run ../model/condense corrections.json < \"$SCHEDULER_MODEL\" > scheduler.json.new && mv scheduler.json.new scheduler.json"
//go:embed scheduler.json
var table []byte

func newModel() *model.Model { return model.New(table) }
