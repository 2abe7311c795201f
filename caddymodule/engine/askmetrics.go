package engine

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/awsapi/cloudwatch"
	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/cluster"
	"github.com/hearthfn/hearth/warmpool/state"
)

// What nodes ask each other about their metrics over time.
const (
	pathMetrics = "/metrics"
	askMetrics  = 2 * time.Second
	// maxMetrics bounds the answers of all nodes together, in bytes.
	maxMetrics = 64 << 20
)

// askMetrics asks all other nodes at once; it is the cloudwatch.Others of the settings. It takes
// 2 s at most, and logs which nodes do not tell.
func (s *Setup) askMetrics(ctx context.Context, question []byte, take func(answer []byte) error) (missing []string) {
	c := s.engine.cluster.Load()
	if c == nil {
		return nil
	}
	nodes := c.Others()
	limited, cancel := context.WithTimeout(ctx, askMetrics)
	defer cancel()
	most := min(cloudwatch.MaxAnswer, maxMetrics/max(len(nodes), 1))
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, node := range nodes {
		all.Go(func() {
			answer, err := metricsOf(limited, c, node, question, most)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				err = take(answer)
			}
			if err == nil {
				return
			}
			missing = append(missing, node.Name)
			if ctx.Err() == nil { // else the client has gone
				s.refusals.Tell(s.Log, zap.WarnLevel, "a node does not tell its metrics: they are not in the answer", node.Name, func() []zap.Field {
					return []zap.Field{zap.String("node", node.Name), zap.Error(err)}
				})
			}
		})
	}
	all.Wait()
	slices.Sort(missing)
	return missing
}

func metricsOf(ctx context.Context, c *cluster.Cluster, node state.Node, question []byte, most int) ([]byte, error) {
	answer, err := c.Ask(ctx, node, http.MethodPost, pathMetrics, http.Header{}, question)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("node %s answers %d", node.Name, answer.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, int64(most)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer of node %s: %w", node.Name, err)
	case len(data) > most:
		return nil, fmt.Errorf("the answer of node %s has more than %d bytes", node.Name, most)
	}
	return data, nil
}

// serveMetrics answers what askMetrics asks another node.
func (e *Engine) serveMetrics(w http.ResponseWriter, r *http.Request) {
	var share bodies.Share
	defer share.End()
	question, ok := e.readQuestion(w, r, cloudwatch.MaxQuestion, &share)
	if !ok {
		return
	}
	answer, err := e.measured.Answer(r.Context(), question, time.Now())
	if err != nil {
		e.Log.Warn("another node asks for metrics and gets none", zap.Error(err))
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(answer) // the other node may be gone
}
