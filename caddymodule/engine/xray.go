package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"

	"github.com/hearthfn/hearth/warmpool/flood"
	"github.com/hearthfn/hearth/warmpool/trace"
)

// A daemon is what X-Ray's SDKs in functions take for X-Ray's daemon: it takes segments at a UDP
// port, and answers at the TCP port of the same number which requests are to be sampled. Segments
// become spans of the provider of the settings in force.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-daemon.html
type daemon struct {
	engine *Engine

	mu       sync.Mutex
	at       netip.AddrPort // guarded by mu; invalid: nothing listens
	segments net.PacketConn
	rules    *http.Server
	work     sync.WaitGroup
	gate     flood.Gate
}

const (
	// daemonTime bounds a request about sampling.
	daemonTime = 10 * time.Second
	// daemonMost is how many connections about sampling are open at once.
	daemonMost = 256
	// daemonBody bounds such a request, in bytes.
	daemonBody = 64 << 10
	// daemonTries is how many ports are tried until one is free for both.
	daemonTries = 20
)

// open listens, if nothing does yet.
func (d *daemon) open(log *zap.Logger) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at.IsValid() {
		return nil
	}
	var (
		l   net.Listener
		err error
	)
	for range daemonTries {
		if l, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
			return err
		}
		if d.segments, err = net.ListenPacket("udp4", l.Addr().String()); err == nil {
			break
		}
		l.Close()
	}
	if err != nil {
		return fmt.Errorf("listen for segments of X-Ray's: %w", err)
	}
	d.at = l.Addr().(*net.TCPAddr).AddrPort()
	d.rules = &http.Server{
		Handler: http.HandlerFunc(d.answer), ReadTimeout: daemonTime, WriteTimeout: daemonTime, IdleTimeout: daemonTime,
		MaxHeaderBytes: insideHeader, ErrorLog: zap.NewStdLog(log),
	}
	d.work.Go(func() { d.receive(log) })
	d.work.Go(func() {
		if err := d.rules.Serve(netutil.LimitListener(l, daemonMost)); !errors.Is(err, http.ErrServerClosed) {
			log.Error("X-Ray's SDKs in functions do not learn any more what to sample", zap.Error(err))
		}
	})
	return nil
}

func (d *daemon) close() {
	d.mu.Lock()
	segments, rules := d.segments, d.rules
	d.mu.Unlock()
	if rules != nil {
		segments.Close()
		rules.Close()
		d.work.Wait()
	}
	d.gate.Close()
}

// address is where functions find it; invalid: spans are not wanted.
func (d *daemon) address() netip.AddrPort {
	if d.engine.spans.Load() == nil {
		return netip.AddrPort{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

func (d *daemon) receive(log *zap.Logger) {
	buffer := make([]byte, trace.MaxSegment)
	for {
		n, _, err := d.segments.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // of one datagram
		}
		if err := d.engine.spans.Load().Segment(buffer[:n]); err != nil {
			d.gate.Tell(log, zap.WarnLevel, "a segment of X-Ray's is not taken", "", func() []zap.Field { return []zap.Field{zap.Error(err)} })
		}
	}
}

// answer says what X-Ray would say of sampling.
// https://docs.aws.amazon.com/xray/latest/api/API_GetSamplingRules.html
// https://docs.aws.amazon.com/xray/latest/api/API_GetSamplingTargets.html
func (d *daemon) answer(w http.ResponseWriter, r *http.Request) {
	rules := d.engine.spans.Load().Rules()
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/GetSamplingRules":
		records := []any{}
		for n, rule := range rules {
			records = append(records, map[string]any{"CreatedAt": 0, "ModifiedAt": 0, "SamplingRule": map[string]any{
				"RuleName": rule.Name, "RuleARN": "arn:aws:xray:" + d.engine.account().Region + ":" + d.engine.account().ID + ":sampling-rule/" + rule.Name, "ResourceARN": "*",
				"Priority": n + 1, "FixedRate": rule.Ratio, "ReservoirSize": 0, "ServiceName": rule.Service, "ServiceType": "*",
				"Host": "*", "HTTPMethod": "*", "URLPath": "*", "Version": 1, "Attributes": map[string]string{},
			}})
		}
		write(w, map[string]any{"SamplingRuleRecords": records})
	case r.Method == http.MethodPost && r.URL.Path == "/SamplingTargets":
		var in struct {
			SamplingStatisticsDocuments []struct{ RuleName string }
		}
		if json.NewDecoder(http.MaxBytesReader(w, r.Body, daemonBody)).Decode(&in) != nil {
			http.Error(w, "the body is no JSON, or too large", http.StatusBadRequest)
			return
		}
		targets, unknown := []any{}, []any{}
	documents:
		for _, of := range in.SamplingStatisticsDocuments {
			for _, rule := range rules {
				if rule.Name == of.RuleName {
					targets = append(targets, map[string]any{"RuleName": rule.Name, "FixedRate": rule.Ratio, "ReservoirQuota": 0, "ReservoirQuotaTTL": time.Now().Add(time.Minute).Unix(), "Interval": 10})
					continue documents
				}
			}
			unknown = append(unknown, map[string]any{"RuleName": of.RuleName, "ErrorCode": "404", "Message": "there is no such rule"})
		}
		write(w, map[string]any{"SamplingTargetDocuments": targets, "LastRuleModification": 0, "UnprocessedStatistics": unknown})
	default:
		http.Error(w, "X-Ray's daemon answers POST /GetSamplingRules and POST /SamplingTargets here", http.StatusNotFound)
	}
}

func write(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the client is gone
}

// Traces implements launch.Traces.
func (e *Engine) Traces(context.Context) netip.AddrPort { return e.daemon.address() }
