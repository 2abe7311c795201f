package engine

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"

	"github.com/hearthfn/hearth/caddymodule/awsapi/access"
	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/launch"
)

// An inside is where functions of this server call AWS's APIs: at a loopback address, without TLS,
// whatever the addresses and certificates of the sites are. Calls are signed, as everywhere.
type inside struct {
	mu     sync.Mutex
	server *http.Server // guarded by mu; nil: nothing listens
	at     netip.AddrPort
	done   chan struct{}
}

// Bounds of connections of functions.
const (
	insideHeaderTime = 10 * time.Second
	insideIdleTime   = 2 * time.Minute
	insideHeader     = 64 << 10
	// insideMost is how many connections are open at once; more wait.
	insideMost = 4096
	// insideWriteTime is how long a function may take to read a part of an answer, and
	// insideReadTime how long it may take to send a request.
	insideWriteTime = time.Minute
	insideReadTime  = 15 * time.Minute
)

// ServeInside has a handler answer the calls of functions, once the setup is in force.
func (s *Setup) ServeInside(h http.Handler) { s.inside = h }

// open listens, if nothing does yet.
func (e *Engine) openInside(log *zap.Logger) error {
	i := &e.inside
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.server != nil {
		return nil
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	i.at = l.Addr().(*net.TCPAddr).AddrPort()
	i.done = make(chan struct{})
	i.server = &http.Server{
		ReadHeaderTimeout: insideHeaderTime, ReadTimeout: insideReadTime, IdleTimeout: insideIdleTime, MaxHeaderBytes: insideHeader, ErrorLog: zap.NewStdLog(log),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s := e.current.Load(); s != nil && s.inside != nil {
				s.inside.ServeHTTP(w, r)
				return
			}
			http.Error(w, "this server does not answer AWS's APIs", http.StatusServiceUnavailable)
		}),
	}
	go func(server *http.Server, done chan struct{}) {
		defer close(done)
		if err := server.Serve(netutil.LimitListener(pacedListener{l}, insideMost)); !errors.Is(err, http.ErrServerClosed) {
			log.Error("functions cannot call AWS's APIs any more", zap.Error(err))
		}
	}(i.server, i.done)
	return nil
}

// A pacedListener has connections whose writes end in time.
type pacedListener struct{ net.Listener }

// Accept implements net.Listener.
func (l pacedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return pacedConn{c}, nil
}

type pacedConn struct{ net.Conn }

// Write implements net.Conn. Without it a function that does not read would have its connection as
// long as it runs. Answers have no bound as a whole: an invocation may stream for minutes.
func (c pacedConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(insideWriteTime)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (i *inside) close(ctx context.Context) {
	i.mu.Lock()
	server, done := i.server, i.done
	i.mu.Unlock()
	if server == nil {
		return
	}
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // what it cuts off has had its time
	}
	<-done
}

func (i *inside) address() netip.AddrPort {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.at
}

// Begin implements launch.Keys.
func (e *Engine) Begin(ctx context.Context, f *function.Function, environment string) (map[string]string, netip.AddrPort, error) {
	s := e.current.Load()
	if s == nil || s.inside == nil {
		return nil, netip.AddrPort{}, nil
	}
	grant, err := e.roles.ByARN(ctx, f.Role)
	if grant == nil && err == nil && s.registry.ReadOnly(f.Name) {
		s.refusals.Tell(s.Log, zap.WarnLevel, "a function gets no credentials: its role is not here", f.Name, func() []zap.Field {
			return []zap.Field{zap.String("function", f.Name), zap.String("role", f.Role)}
		})
	}
	if grant == nil || err != nil {
		return nil, netip.AddrPort{}, err
	}
	if !s.RolesOff && !access.Trusts(grant, "lambda.amazonaws.com") {
		s.refusals.Tell(s.Log, zap.WarnLevel, "a function gets no credentials: its role does not let Lambda assume it", f.Name, func() []zap.Field {
			return []zap.Field{zap.String("function", f.Name), zap.String("role", f.Role)}
		})
		return nil, netip.AddrPort{}, nil
	}
	session := e.environments.Begin(environment, &sigv4.Role{Name: grant.Name, ID: grant.ID, Session: f.Name})
	return map[string]string{
		"AWS_ACCESS_KEY_ID": session.Key.ID, "AWS_SECRET_ACCESS_KEY": session.Key.Secret, "AWS_SESSION_TOKEN": session.Token,
	}, e.inside.address(), nil
}

// End implements launch.Keys.
func (e *Engine) End(environment string) { e.environments.End(environment) }

// account is that of the settings in force.
func (e *Engine) account() function.Account {
	if s := e.current.Load(); s != nil {
		return s.Account
	}
	return function.DefaultAccount
}

var _ launch.Keys = (*Engine)(nil)
