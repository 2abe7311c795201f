package engine

import (
	"github.com/hearthfn/hearth/caddymodule/awsapi/cloudwatch"
	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// openMetrics opens the metrics over time, and begins to sample, unless another process has the
// state.
func (e *Engine) openMetrics() (err error) {
	if e.series, err = timeseries.Open(timeseries.Config{}); err != nil {
		return err
	}
	e.measured = cloudwatch.NewMetrics(e.series)
	if e.inUse == nil {
		e.sampler = newSampler(e.series, e.measured, e.Log)
	}
	return nil
}
