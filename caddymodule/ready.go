package caddymodule

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"
	"golang.org/x/term"
)

// announceAfter is how long the terminal waits for what Caddy logs about its start.
const announceAfter = 300 * time.Millisecond

// A ready announces that this server serves, once all apps have started.
type ready struct{ app *App }

// subscribe has Handle called when all apps have started.
func (r ready) subscribe(ctx caddy.Context) error {
	module, err := ctx.App("events")
	if err != nil {
		return err
	}
	return module.(*caddyevents.App).On("started", r)
}

// Handle implements caddyevents.Handler. It logs where the server is, or writes it to a terminal.
// A reload that changes nothing of it is silent.
func (r ready) Handle(context.Context, caddy.Event) error {
	a := r.app
	url := a.addressOfHandler(func(handler any) bool { _, is := handler.(*FunctionHandler); return is })
	functions, api := len(a.Functions), a.endpoint()
	text := fmt.Sprintf("ready: %s", plural(functions, "function"))
	if url != "" {
		text = fmt.Sprintf("ready: %s  %s", url, plural(functions, "function"))
	}
	if api != "" {
		text += "  lambda_api at " + api
	}
	if before := a.engine.announced.Swap(&text); before != nil && *before == text {
		return nil
	}
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		a.log.Info("ready", zap.String("url", url), zap.Int("functions", functions), zap.String("lambda_api", api))
		return nil
	}
	if os.Getenv("NO_COLOR") == "" {
		text = "\x1b[1;32mready:\x1b[0m" + text[len("ready:"):]
	}
	a.announcement = time.AfterFunc(announceAfter, func() { fmt.Fprintln(os.Stderr, text) })
	return nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

var _ caddyevents.Handler = ready{}
