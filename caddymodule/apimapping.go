package caddymodule

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/caddymodule/apigateway/gateway"
)

// An apiMapping is how requests to an integration and its answers are changed.
type apiMapping struct {
	requests *gateway.Mapper
	answers  map[int]*gateway.Mapper // by status
}

// newAPIMapping reads the mappings of an integration, nil if there are none.
func newAPIMapping(of *gateway.Integration) (*apiMapping, error) {
	if len(of.Requests)+len(of.Answers) == 0 {
		return nil, nil
	}
	requests, err := gateway.NewMapper(of.Requests, false)
	m := &apiMapping{requests: requests, answers: make(map[int]*gateway.Mapper, len(of.Answers))}
	for status, answers := range of.Answers {
		if err != nil {
			return nil, err
		}
		code, _ := strconv.Atoi(status) // Check has checked it
		m.answers[code], err = gateway.NewMapper(answers, true)
	}
	return m, err
}

// mapParameters makes the request as its integration gets it, and the writer of its answer.
func (s *apiServer) mapParameters(w http.ResponseWriter, r *http.Request, seen *observation) (http.ResponseWriter, *http.Request, error) {
	m := seen.route.mapping
	values := variables{server: s, of: seen, request: r, now: time.Now()}
	if len(m.answers) > 0 {
		w = &mappedWriter{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, answers: m.answers, values: &values, seen: seen}
	}
	if m.requests == nil {
		return w, r, nil
	}
	to := r.Clone(r.Context())
	path, err := m.requests.Request(to, values.named)
	if err != nil {
		return w, r, err
	}
	if path != "" {
		to.URL.RawPath = s.stagePath + path
		if to.URL.Path, err = url.PathUnescape(to.URL.RawPath); err != nil {
			return w, r, err
		}
	}
	return w, to, nil
}

// A mappedWriter changes an answer of an integration. What the gateway itself answers stays.
type mappedWriter struct {
	*caddyhttp.ResponseWriterWrapper
	answers map[int]*gateway.Mapper
	values  *variables
	seen    *observation
	begun   bool
}

// WriteHeader implements http.ResponseWriter.
func (w *mappedWriter) WriteHeader(status int) {
	informational := status < http.StatusOK && status != http.StatusSwitchingProtocols
	if !w.begun && !informational {
		w.begun = true
		if of := w.answers[status]; of != nil && w.seen.err == nil {
			status = w.mapped(of, status)
		}
	}
	w.ResponseWriterWrapper.WriteHeader(status)
}

func (w *mappedWriter) mapped(of *gateway.Mapper, status int) int {
	header := w.Header()
	made, err := of.Response(header, func(name string) string {
		if rest, found := strings.CutPrefix(name, "response.header."); found {
			return strings.Join(header.Values(rest), ",")
		}
		return w.values.named(name)
	})
	if err != nil {
		s := w.values.server
		s.refusals.Tell(s.log, zap.ErrorLevel, "mapping of an answer failed", w.seen.route.of.Key, func() []zap.Field {
			return []zap.Field{zap.String("route", w.seen.route.of.Key), zap.Error(err)}
		})
	}
	if made != 0 {
		return made
	}
	return status
}

// Write implements http.ResponseWriter.
func (w *mappedWriter) Write(body []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriterWrapper.Write(body)
}
