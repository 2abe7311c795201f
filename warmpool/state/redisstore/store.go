package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/state"
	"github.com/hearthfn/hearth/warmpool/state/internal/hints"
)

// Config says where Redis is.
type Config struct {
	// URL is redis://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]...][/DB], or rediss://
	// for TLS. ?master=NAME says that the hosts are Sentinels, ?cluster=true that they
	// are nodes of a Redis Cluster.
	URL string
	// Prefix begins all keys; default hearth.
	Prefix string
	// Log gets what happens in the background; default none.
	Log *zap.Logger
	// Timeout bounds the connection and each command's way; default 5s.
	Timeout time.Duration
}

const (
	defaultPrefix  = "hearth"
	defaultTimeout = 5 * time.Second
	defaultPort    = "6379"
	sentinelPort   = "26379"
)

// A Store keeps state in Redis.
type Store struct {
	client  redis.UniversalClient
	prefix  string
	address string // for errors, without the password
	log     *zap.Logger

	records hints.Watches // of owners
	ready   hints.Watches // of groups

	ctx    context.Context // ends what runs in the background
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu     sync.Mutex // guards what follows
	known  map[string]struct{}
	served map[string]int64 // groups, by when this store leased of them last
	turn   int64

	nodes     []state.Node // that live, as of nodesMark
	nodesMark string
	dataset   string // the name of what Redis keeps; "": not yet known
}

// maxKnown bounds the memory for names that are in the index already.
const maxKnown = 1 << 17

// options reads a URL. The text of its error has no password.
func options(c Config) (*redis.UniversalOptions, string, error) {
	bad := func(why string) error {
		return fmt.Errorf("redis: the URL %s: redis://USER:PASSWORD@HOST:PORT/DB is wanted, with several hosts ?cluster=true or ?master=NAME", why)
	}
	// net/url does not take several hosts with ports.
	scheme, rest, found := strings.Cut(c.URL, "://")
	if !found || scheme != "redis" && scheme != "rediss" {
		return nil, "", bad("does not begin with redis:// or rediss://")
	}
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	o := &redis.UniversalOptions{DialTimeout: c.Timeout, ReadTimeout: c.Timeout, WriteTimeout: c.Timeout, ContextTimeoutEnabled: true, MaxRetries: 3}
	hosts := authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, err := url.Parse("x://" + authority[:i+1])
		if err != nil {
			return nil, "", bad("has a user or password that is not URL-encoded")
		}
		hosts = authority[i+1:]
		o.Username = user.User.Username()
		o.Password, _ = user.User.Password()
	}
	u, err := url.Parse("x://host" + tail)
	if err != nil {
		return nil, "", bad("has a path that is not a number")
	}
	if db := strings.Trim(u.Path, "/"); db != "" {
		if o.DB, err = strconv.Atoi(db); err != nil {
			return nil, "", bad("has a path that is not a number")
		}
	}
	port := defaultPort
	for name, values := range u.Query() {
		switch name {
		case "master":
			o.MasterName, port = values[0], sentinelPort
			o.SentinelUsername, o.SentinelPassword = o.Username, o.Password
		case "cluster":
			o.IsClusterMode = values[0] == "true"
		default:
			return nil, "", bad("has an unknown option " + strconv.Quote(name))
		}
	}
	for _, host := range strings.Split(hosts, ",") {
		if host == "" {
			return nil, "", bad("names no host")
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		o.Addrs = append(o.Addrs, host)
	}
	if len(o.Addrs) > 1 && o.MasterName == "" && !o.IsClusterMode {
		return nil, "", bad("names several hosts and not what they are")
	}
	if scheme == "rediss" {
		name, _, _ := net.SplitHostPort(o.Addrs[0])
		o.TLSConfig = &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}
		if len(o.Addrs) > 1 {
			o.TLSConfig.ServerName = "" // each node's own
		}
	}
	return o, scheme + "://" + hosts, nil
}

// CheckURL says whether a URL is one of Redis.
func CheckURL(text string) error {
	_, _, err := options(Config{URL: text})
	return err
}

// Hosts are the servers that a URL names, each with its port.
func Hosts(url string) []string {
	o, _, err := options(Config{URL: url})
	if err != nil {
		return nil
	}
	return o.Addrs
}

// IsOpen reports whether the Redis of a URL serves clients without a password. If it does not
// answer, IsOpen returns false.
func IsOpen(ctx context.Context, url string) bool {
	o, _, err := options(Config{URL: url, Timeout: defaultTimeout})
	if err != nil {
		return false
	}
	o.Username, o.Password, o.MaxRetries = "", "", -1
	client := redis.NewUniversalClient(o)
	defer client.Close()
	return client.Ping(ctx).Err() == nil
}

// Open connects. The error is state.ErrUnavailable when Redis does not answer.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	o, address, err := options(c)
	if err != nil {
		return nil, err
	}
	s := &Store{
		client: redis.NewUniversalClient(o), prefix: c.Prefix, address: address, log: c.Log,
		known: make(map[string]struct{}), served: make(map[string]int64),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.client.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(s.explain(err), s.Close())
	}
	s.all.Go(func() { s.listen(s.channel("changes"), &s.records) })
	s.all.Go(func() { s.listen(s.channel("ready"), &s.ready) })
	s.all.Go(s.repairAll)
	return s, nil
}

// Close ends the connections.
func (s *Store) Close() error {
	s.cancel()
	err := s.client.Close()
	s.all.Wait()
	s.records.Close()
	s.ready.Close()
	if err != nil && !errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// Client is for what is no state: the membership of nodes.
func (s *Store) Client() redis.UniversalClient { return s.client }

// key is one of an owner, a group or a name.
func (s *Store) key(of, part string) string { return s.prefix + ":{" + of + "}:" + part }

func (s *Store) channel(name string) string { return s.prefix + ":" + name }

// explain gives an error of Redis the contract's name.
func (s *Store) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded) && !isTimeout(err):
		return err
	case errors.Is(err, redis.ErrClosed):
		return fmt.Errorf("%s: %w", s.address, state.ErrClosed)
	}
	return fmt.Errorf("%s: %w: %w", s.address, state.ErrUnavailable, err)
}

// isTimeout tells a network's time-out from a caller's.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() && !errors.Is(err, context.DeadlineExceeded)
}

// listen passes on what is published, and after a time without a connection that
// anything may have changed.
func (s *Store) listen(channel string, to *hints.Watches) {
	for s.ctx.Err() == nil {
		err := s.hear(channel, to)
		if s.ctx.Err() != nil {
			return
		}
		// What is known stays: without it nothing could go on. Once hints come again,
		// anything may have changed.
		s.log.Warn("hints of other nodes are missed until redis answers again", zap.Error(err))
		select {
		case <-time.After(time.Second + rand.N(time.Second)): // not all nodes at once
		case <-s.ctx.Done():
		}
	}
}

func (s *Store) hear(channel string, to *hints.Watches) error {
	subscription := s.client.Subscribe(s.ctx, channel)
	defer subscription.Close() // it failed, or is not wanted any more
	// A read that waits for the next message does not look at the context.
	stop := context.AfterFunc(s.ctx, func() { subscription.Close() })
	defer stop()
	if _, err := subscription.Receive(s.ctx); err != nil {
		return err
	}
	// Who hears that anything may have changed reads, and must not be sent to connections
	// that do not work yet.
	for s.client.Ping(s.ctx).Err() != nil {
		select {
		case <-time.After(100*time.Millisecond + rand.N(100*time.Millisecond)):
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
	to.Changed("") // before, nobody listened
	for asked := false; ; {
		message, err := subscription.ReceiveTimeout(s.ctx, silenceFor)
		var slow net.Error
		switch {
		case err != nil && errors.As(err, &slow) && slow.Timeout() && !asked:
			// Nobody tells of a connection whose other end is gone.
			asked = true
			if err := subscription.Ping(s.ctx); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		asked = false
		if m, ok := message.(*redis.Message); ok {
			to.Changed(m.Payload)
		}
	}
}

// silenceFor is how long a subscription may be silent before it has to answer, as soon.
const silenceFor = 4 * time.Second

// Watch implements state.Records.
func (s *Store) Watch(ctx context.Context, prefix string) (<-chan string, error) {
	return s.records.Watch(ctx, prefix, s.closed())
}

// Ready implements state.Queue.
func (s *Store) Ready(ctx context.Context) (<-chan string, error) {
	return s.ready.Watch(ctx, "", s.closed())
}

func (s *Store) closed() error { return fmt.Errorf("%s: %w", s.address, state.ErrClosed) }

// remember reports whether a name is new to this store.
func (s *Store) remember(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.known[name]; known {
		return false
	}
	if len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[name] = struct{}{}
	return true
}

func (s *Store) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, name)
}

// millis is a time as Redis keeps it; "" stands for now.
func millis(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

func timeOf(text string) time.Time {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(n))
}

var (
	_ state.Records = (*Store)(nil)
	_ state.Queue   = (*Store)(nil)
	_ state.Backlog = (*Store)(nil)
	_ state.Slots   = (*Store)(nil)
)
