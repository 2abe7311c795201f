package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"time"
)

// sample is one run of load against one target.
type sample struct {
	Requests int           `json:"requests"`
	PerSec   float64       `json:"requests_per_second"`
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
	Max      time.Duration `json:"max_ns"`
	CPU      time.Duration `json:"cpu_per_request_ns"` // of the stack's processes, children included
	Failures int           `json:"failures"`           // answers other than 2xx and 3xx, broken connections
}

// answered is how many requests a second were not refused.
func (s sample) answered() float64 {
	return s.PerSec * float64(s.Requests-s.Failures) / float64(s.Requests)
}

// load drives path of a stack by wrk, which gets one thread so that it takes no more than
// one core from the servers. Further arguments of wrk may replace its script.
func load(ctx context.Context, stage *stage, as stack, path string, connections int, length time.Duration, more ...string) (sample, error) {
	before, err := cpuOf(stage.roots[as])
	if err != nil {
		return sample{}, err
	}
	seconds := strconv.Itoa(max(1, int(length.Seconds())))
	arguments := append([]string{
		"--threads", "1", "--connections", strconv.Itoa(connections),
		"--duration", seconds + "s", "--timeout", "10s", "--script", stage.asset("report.lua"),
	}, more...)
	wrk := exec.CommandContext(ctx, "wrk", append(arguments, stage.address[as]+path)...)
	var stderr bytes.Buffer
	wrk.Stderr = &stderr
	output, err := wrk.Output()
	if err != nil {
		return sample{}, fmt.Errorf("wrk: %w: %s", err, stderr.Bytes())
	}
	after, err := cpuOf(stage.roots[as])
	if err != nil {
		return sample{}, err
	}
	s, err := parseWrk(output)
	if err != nil {
		return sample{}, err
	}
	s.CPU = (after - before) / time.Duration(s.Requests)
	return s, nil
}

// parseWrk reads the line that assets/report.lua prints after wrk's own text.
func parseWrk(output []byte) (sample, error) {
	start := bytes.LastIndex(output, []byte("\n{"))
	if start < 0 {
		return sample{}, fmt.Errorf("no line of JSON in what wrk printed: %q", output)
	}
	var line struct {
		Requests     int   `json:"requests"`
		Duration     int64 `json:"duration_us"`
		P50          int64 `json:"p50_us"`
		P99          int64 `json:"p99_us"`
		Max          int64 `json:"max_us"`
		StatusErrors int   `json:"status_errors"`
		SocketErrors int   `json:"socket_errors"`
	}
	if err := json.Unmarshal(output[start:], &line); err != nil {
		return sample{}, fmt.Errorf("what wrk printed: %w", err)
	}
	if line.Requests == 0 || line.Duration == 0 {
		return sample{}, fmt.Errorf("wrk made no request: %q", output)
	}
	micro := func(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
	return sample{
		Requests: line.Requests,
		PerSec:   float64(line.Requests) / micro(line.Duration).Seconds(),
		P50:      micro(line.P50),
		P99:      micro(line.P99),
		Max:      micro(line.Max),
		Failures: line.StatusErrors + line.SocketErrors,
	}, nil
}
