package cluster

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/bodies"
	"github.com/hearthfn/hearth/warmpool/environment"
)

// serve runs a call of another node, if it can be run at once.
func (c *Cluster) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != pathInvoke && c.Other != nil {
		c.Other.ServeHTTP(w, r)
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != pathInvoke {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	c.mu.Lock()
	draining := c.draining
	c.mu.Unlock()
	g, err := c.Local.Group(r.Context(), r.Header.Get(headerFunction), r.Header.Get(headerVersion), r.Header.Get(headerRevision))
	if draining || err != nil || !g.Ready() {
		c.count("declined")
		w.WriteHeader(http.StatusConflict)
		return
	}
	var share bodies.Share
	defer share.End()
	frame, err := bodies.Intake{Most: maxFrame, Weight: 3, Budget: c.Bodies}.Read(w, r, nil, &share)
	if errors.Is(err, bodies.ErrFull) {
		c.count("declined")
		w.WriteHeader(http.StatusConflict)
		return
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	call := environment.NewCall()
	call.RequestID, call.Tail, call.Frame = r.Header.Get(headerRequest), r.Header.Get(headerTail) == "true", frame
	out := &answer{w: w, control: http.NewResponseController(w)}
	if r.Header.Get(headerStreams) == "true" {
		call.Stream = out
	}
	if err := g.Invoke(r.Context(), call); err != nil {
		if !out.begun {
			w.WriteHeader(http.StatusConflict) // it has not run
			return
		}
		c.Log.Warn("a call of another node failed", zap.String("function", g.Function().Name), zap.Error(err))
		panic(http.ErrAbortHandler) // the answer is not whole
	}
	body, err := json.Marshal(end{call.Outcome, call.Version, call.Payload, call.Duration, call.Streamed, call.LogTail})
	if err == nil {
		err = out.part(partEnd, body)
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	c.count("received")
}

// An answer writes parts.
type answer struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (a *answer) part(kind byte, data []byte) error {
	a.begun = true
	head := [5]byte{kind}
	binary.BigEndian.PutUint32(head[1:], uint32(len(data)))
	if _, err := a.w.Write(head[:]); err != nil {
		return err
	}
	_, err := a.w.Write(data)
	return err
}

// Start implements environment.ResponseStream.
func (a *answer) Start(contentType string) error {
	if err := a.part(partStart, []byte(contentType)); err != nil {
		return err
	}
	return a.control.Flush()
}

// Write implements environment.ResponseStream.
func (a *answer) Write(chunk []byte) error {
	if err := a.part(partChunk, chunk); err != nil {
		return err
	}
	return a.control.Flush()
}

var _ environment.ResponseStream = (*answer)(nil)
