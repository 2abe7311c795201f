package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

const (
	startsThroughput = "starts warm"
	startsOthers     = "starts of peers"
)

// A peer is another program that serves a function of a few lines.
type peer struct {
	name string
	// argv is the command that serves it on a port, in folder. An error says what is missing.
	argv func(ctx context.Context, s *stage, port int) (folder string, argv []string, err error)
	path string // where it answers, "" for everywhere
	// single says that it answers one call at a time, and refuses others: it is not loaded.
	single bool
}

func peers() []peer {
	return []peer{
		{name: "bare Node server", argv: func(ctx context.Context, s *stage, port int) (string, []string, error) {
			return s.folder, []string{"node", s.asset("backend.js"), strconv.Itoa(port)}, nil
		}},
		{name: "functions-framework", argv: func(ctx context.Context, s *stage, port int) (string, []string, error) {
			folder, err := s.npm(ctx, "functions-framework", "@google-cloud/functions-framework")
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, "index.js"), []byte("exports.hello = (request, response) => {\n"+
					"  response.set('content-type', 'application/json').send('"+greeting+"');\n};\n"), 0o644)
			}
			return folder, []string{"node", "node_modules/@google-cloud/functions-framework/build/src/main.js", "--target=hello", "--port=" + strconv.Itoa(port)}, err
		}},
		{name: "workerd", argv: func(ctx context.Context, s *stage, port int) (string, []string, error) {
			folder, err := s.npm(ctx, "workerd", "workerd")
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, "worker.js"), []byte("export default { fetch() { return new Response('"+greeting+"', "+
					"{ headers: { 'content-type': 'application/json' } }); } };\n"), 0o644)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d.capnp", port)), fmt.Appendf(nil, "using Workerd = import \"/workerd/workerd.capnp\";\n"+
					"const config :Workerd.Config = (services = [(name = \"main\", worker = .hello)],\n"+
					"  sockets = [(name = \"http\", address = \"127.0.0.1:%d\", http = (), service = \"main\")]);\n"+
					"const hello :Workerd.Worker = (modules = [(name = \"worker\", esModule = embed \"worker.js\")], compatibilityDate = \"2024-09-01\");\n", port), 0o644)
			}
			// The program itself, not the script that npm starts it by.
			binary, globError := filepath.Glob(filepath.Join(folder, "node_modules/@cloudflare/workerd-*/bin/workerd"))
			if err = errors.Join(err, globError); err == nil && len(binary) == 0 {
				err = errors.New("npm brought no workerd for this machine")
			}
			if err != nil {
				return "", nil, err
			}
			return folder, []string{binary[0], "serve", fmt.Sprintf("%d.capnp", port)}, nil
		}},
		// A few lines that speak the Runtime API stand for AWS's own client, which npm compiles for minutes.
		{name: "AWS's RIE", single: true, path: "/2015-03-31/functions/function/invocations?", argv: func(ctx context.Context, s *stage, port int) (string, []string, error) {
			folder, err := s.rie(ctx)
			if err != nil {
				return "", nil, err
			}
			inner, err := freePort()
			return folder, []string{
				"./aws-lambda-rie", "--runtime-interface-emulator-address", fmt.Sprintf("127.0.0.1:%d", port),
				"--runtime-api-address", fmt.Sprintf("127.0.0.1:%d", inner), "node", s.asset("runtimeapi.js"), greeting,
			}, err
		}},
	}
}

// rie is a folder with AWS's Runtime Interface Emulator, which Go compiles.
func (s *stage) rie(ctx context.Context) (folder string, err error) {
	if folder, err = s.made("rie"); err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(folder, "aws-lambda-rie")); err == nil {
		return folder, nil
	}
	progress("go install aws-lambda-rie")
	install := exec.CommandContext(ctx, "go", "install", "github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@latest")
	install.Env = append(os.Environ(), "GOBIN="+folder, "GOFLAGS=")
	if output, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go install: %w: %.500s", err, output)
	}
	return folder, nil
}

// start starts a peer and waits for its first answer.
func (p peer) start(ctx context.Context, s *stage, keep *stage) (took time.Duration, err error) {
	port, err := freePort()
	if err != nil {
		return 0, err
	}
	folder, argv, err := p.argv(ctx, s, port)
	if err != nil {
		return 0, &lacksError{err}
	}
	address := fmt.Sprintf("http://127.0.0.1:%d%s", port, p.path)
	client := newClient(1)
	defer client.CloseIdleConnections()
	logs, err := s.made("logs")
	if err != nil {
		return 0, err
	}
	began := time.Now()
	started, err := startServerIn(p.name, logs, folder, argv...)
	if err != nil {
		return 0, &lacksError{err}
	}
	for {
		c := call(ctx, client, address+"/")
		if c.err == nil {
			took = time.Since(began)
			break
		}
		select {
		case <-started.exited:
			return 0, &lacksError{fmt.Errorf("%s ended: %s", p.name, started.lastWords())}
		case <-ctx.Done():
			started.stop()
			return 0, ctx.Err()
		case <-time.After(time.Millisecond):
		}
		if time.Since(began) > readyWithin {
			started.stop()
			return 0, &lacksError{fmt.Errorf("%s does not answer: %w", p.name, c.err)}
		}
	}
	if keep == nil {
		started.stop()
		return took, nil
	}
	keep.servers = append(keep.servers, started)
	keep.address[stack(p.name)] = address
	keep.roots[stack(p.name)] = []int{started.pid()}
	return took, nil
}

// startsPeers times what starts of peers take until the first answer.
func startsPeers(m machine, n int) scenario {
	return scenario{name: startsOthers, group: startsGroup, measure: func(ctx context.Context, shared *stage) (figures []figure, err error) {
		node := hellos(m)[0]
		var bare []time.Duration
		all := make([][]time.Duration, len(peers()))
		for range min(n, 20) {
			took, err := bareStart(ctx, shared.folder, node.bare)
			if err != nil {
				return nil, err
			}
			bare = append(bare, took)
			for i, p := range peers() {
				if shared.absent[stack(p.name)] != "" {
					continue
				}
				took, err := p.start(ctx, shared, nil)
				if err := absent(shared, p.name, err); err != nil {
					return nil, err
				}
				if err == nil {
					all[i] = append(all[i], took)
				}
			}
		}
		for i, p := range peers() {
			if len(all[i]) > 0 {
				figures = append(figures,
					figure{startsOthers, p.name + ": process to first answer, p50, ms", milliseconds(median(all[i]))},
					figure{startsOthers, p.name + ": over the bare interpreter, p50", float64(median(all[i])) / float64(median(bare))})
			}
		}
		return figures, nil
	}}
}

// absent notes what this machine lacks. Another error it returns.
func absent(s *stage, name string, err error) error {
	var lacks *lacksError
	if errors.As(err, &lacks) {
		s.absent[stack(name)] = lacks.Error()
		return nil
	}
	return err
}

// startsWarm loads one warm environment, in turns with respond, reverse_proxy and peers.
func startsWarm(m machine, s settings) scenario {
	return scenario{name: startsThroughput, group: startsGroup, measure: func(ctx context.Context, shared *stage) (figures []figure, err error) {
		f := function{"node", m.nodeRuntime(), "index.handler", "node", 1, false}
		own, err := loadStage(ctx, shared, "", []function{f})
		if err != nil {
			return nil, err
		}
		defer own.close()
		if err := errors.Join(own.startRespond(ctx, own.caddy), own.startProxy(ctx, own.caddy)); err != nil {
			return nil, err
		}
		targets := []target{
			{name: respondTarget, stack: respondStack}, {name: proxyTarget, stack: proxyStack},
			{"hearth Node x1", hearthStack, f},
		}
		for _, p := range peers() {
			if p.single {
				continue
			}
			_, err := p.start(ctx, shared, own)
			if err := absent(shared, p.name, err); err != nil {
				return nil, err
			}
			targets = append(targets, target{name: p.name, stack: stack(p.name)})
		}
		rows, err := measureWarm(ctx, own, targets, s)
		if err != nil {
			return nil, err
		}
		r := report{Warm: rows}
		for i := range rows {
			row := &rows[i]
			if row.Target == respondTarget {
				continue
			}
			ratio, ok := r.ratio(row, respondTarget)
			if ok {
				figures = append(figures, figure{startsThroughput, fmt.Sprintf("%s, %d connections, of respond", row.Target, row.Connections), ratio})
			}
			if ratio, ok := r.ratio(row, proxyTarget); ok && row.Target != proxyTarget {
				figures = append(figures, figure{startsThroughput, fmt.Sprintf("%s, %d connections, of reverse_proxy", row.Target, row.Connections), ratio})
			}
		}
		return figures, nil
	}}
}
