package socket

import "time"

// Info is what GET @connections tells of a socket.
type Info struct {
	ConnectedAt, LastActiveAt time.Time
	SourceIP, UserAgent       string
}

// find finds a socket by its connection ID, ErrGone if this node has none that goes on. api and stage are
// those that it must have; "": any.
func (h *Hub) find(api, stage, id string) (*conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.conns[id]
	if c == nil || api != "" && c.socket.APIID != api || stage != "" && c.socket.Stage != stage || c.isEnding() {
		return nil, ErrGone
	}
	return c, nil
}

// Post sends a message to the client of a socket here. It returns when the message is on its way:
// ErrGone if the client is gone, ErrBusy if it is too slow for more.
func (h *Hub) Post(api, stage, id string, message []byte) error {
	c, err := h.find(api, stage, id)
	if err != nil {
		return err
	}
	return c.send(message)
}

// Info tells about a socket here, ErrGone if there is none.
func (h *Hub) Info(api, stage, id string) (Info, error) {
	c, err := h.find(api, stage, id)
	if err != nil {
		return Info{}, err
	}
	return Info{
		ConnectedAt: c.socket.ConnectedAt, LastActiveAt: c.lastActive(),
		SourceIP: c.socket.SourceIP, UserAgent: c.socket.UserAgent,
	}, nil
}

// Hangup closes a socket here, ErrGone if there is none.
func (h *Hub) Hangup(api, stage, id string) error {
	c, err := h.find(api, stage, id)
	if err != nil {
		return err
	}
	c.close(ending{code: 1000})
	return nil
}
