package caddymodule

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hearthfn/hearth/caddymodule/apigateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
	"github.com/hearthfn/hearth/caddymodule/apigateway/metrics"
	"github.com/hearthfn/hearth/warmpool/function"
)

// An observation is what the metrics and the access log of an API know of a request. It is the
// request's ResponseWriter, and belongs to one goroutine.
type observation struct {
	caddyhttp.ResponseWriterWrapper
	began  time.Time
	asked  time.Time // when the integration was asked; zero: it was not
	wrote  time.Time // when the answer began; zero: it has not
	status int       // 0: there is no answer
	size   int64     // bytes of the answer's body

	server   *apiServer
	route    *servedRoute // nil: no route takes the request
	from     caller
	identity *apigateway.Identity // who signed the request; nil: nobody had to
	refusal  gateway.Refusal      // what the client was told instead of an answer; zero: nothing
	err      error                // why
}

// observations saves the memory of requests that are over.
var observations = sync.Pool{New: func() any { return new(observation) }}

// WriteHeader notes the status. Informational ones do not end the wait for the answer.
func (o *observation) WriteHeader(status int) {
	if o.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		o.status, o.wrote = status, time.Now()
	}
	o.ResponseWriterWrapper.WriteHeader(status)
}

func (o *observation) Write(body []byte) (int, error) {
	o.begin()
	n, err := o.ResponseWriterWrapper.Write(body)
	o.size += int64(n)
	return n, err
}

// ReadFrom lets the server send files as it does without an observation.
func (o *observation) ReadFrom(r io.Reader) (int64, error) {
	o.begin()
	n, err := o.ResponseWriterWrapper.ReadFrom(r)
	o.size += n
	return n, err
}

func (o *observation) begin() {
	if o.status == 0 {
		o.status, o.wrote = http.StatusOK, time.Now()
	}
}

// integration is the time that what is behind the route took until its answer began; below 0:
// it was not asked.
func (o *observation) integration(now time.Time) time.Duration {
	switch {
	case o.asked.IsZero():
		return -1
	case o.wrote.IsZero():
		return now.Sub(o.asked)
	}
	return o.wrote.Sub(o.asked)
}

// observationOf finds the observation that a ResponseWriter writes to, nil if there is none.
func observationOf(w http.ResponseWriter) *observation {
	for {
		switch v := w.(type) {
		case *observation:
			return v
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return nil
		}
	}
}

// observe answers a request, counts it and writes it to the access log.
func (s *apiServer) observe(w http.ResponseWriter, r *http.Request) error {
	o := observations.Get().(*observation)
	o.ResponseWriter, o.began, o.server = w, time.Now(), s
	o.from.requestID = function.NewRequestID()
	w.Header()["X-Amzn-Requestid"] = []string{o.from.requestID}
	err := s.answerTo(o, r)
	now := time.Now()
	var later caddyhttp.HandlerError // the error routes of the site answer
	switch {
	case o.status != 0:
	case errors.As(err, &later) && later.StatusCode != 0:
		o.status = later.StatusCode
	case err != nil:
		o.status = http.StatusInternalServerError
	default:
		o.status = http.StatusOK
	}
	meter := s.unmatched
	if o.route != nil {
		meter = o.route.metrics
	}
	meter.Observe(o.status, now.Sub(o.began), o.integration(now))
	if s.access != nil {
		s.access.write(s, o, r, now)
	}
	*o = observation{}
	observations.Put(o)
	return err
}

// retainMetrics gives the routes their metrics. releaseMetrics undoes it.
func (s *apiServer) retainMetrics(all *metrics.APIs) {
	s.metrics = all
	id := metrics.Identity{API: s.api.ID, Stage: s.api.Stages[0].Name}
	rest := s.api.Protocol == gateway.REST
	s.unmatched = all.Retain(id, s.api.Name, rest)
	for n := range s.routes {
		id.Route = s.api.Routes[n].Key
		s.routes[n].metrics = all.Retain(id, s.api.Name, rest)
	}
}

func (s *apiServer) releaseMetrics() {
	if s.unmatched == nil {
		return
	}
	s.metrics.Release(s.unmatched)
	for n := range s.routes {
		s.metrics.Release(s.routes[n].metrics)
	}
}

var _ io.ReaderFrom = (*observation)(nil)
