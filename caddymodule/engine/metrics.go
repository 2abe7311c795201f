package engine

import (
	"fmt"
	"path/filepath"

	"github.com/hearthfn/hearth/caddymodule/awsapi/cloudwatch"
	"github.com/hearthfn/hearth/warmpool/timeseries"
)

// openMetrics opens the metrics over time, and begins to sample, unless another process has the
// state.
func (e *Engine) openMetrics() (err error) {
	config := timeseries.Config{Log: e.Log}
	if e.inUse == nil {
		config.Dir = filepath.Join(e.Dir, "metrics")
	}
	if e.series, err = timeseries.Open(config); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	e.measured = cloudwatch.NewMetrics(e.series)
	if e.inUse == nil {
		e.sampler = newSampler(e.series, e.measured, e.Log)
	}
	return nil
}
