package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/spf13/pflag"
)

var logsCommand = &Command{
	Use:   "logs NAME",
	Short: "Print what a function has logged",
	Long: `Prints the log of a function, of all its environments, in order of time. --follow
goes on as more comes, until it is interrupted. --filter takes a filter pattern of
CloudWatch Logs, e.g. 'ERROR' or '{ $.level = "error" }'.`,
	Args: 1, MaxArgs: 1, Names: true,
	Flags: func(f *pflag.FlagSet) {
		f.BoolP("follow", "f", false, "Go on as more is logged")
		f.Duration("since", 10*time.Minute, "How far back to begin")
		f.String("filter", "", "Only events that match this filter pattern")
		f.Int("limit", 10_000, "How many events at most, without --follow")
	},
	Run: printLogs,
}

// A logged is one event as --json prints it, one a line.
type logged struct {
	Time    time.Time `json:"time"`
	Stream  string    `json:"stream"`
	Message string    `json:"message"`
}

// pollInterval is how often a followed log is looked at.
const pollInterval = 500 * time.Millisecond

func printLogs(ctx context.Context, c *Context) error {
	t, err := c.target()
	if err != nil {
		return err
	}
	// A function that has not logged yet has no group: say what is wrong, if it is. And
	// it may be given by its ARN, or with a qualifier.
	f, err := t.lambda().GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(c.Flags.Arg(0))})
	if err != nil {
		return err
	}
	since, _ := c.Flags.GetDuration("since")
	limit, _ := c.Flags.GetInt("limit")
	p := &logPrinter{Context: c, api: t.logs(), group: aws.ToString(f.LoggingConfig.LogGroup), mark: "/" + aws.ToString(f.FunctionName) + "[", from: time.Now().Add(-since).UnixMilli(), seen: map[string]struct{}{}, left: limit}
	if c.is("follow") {
		p.left = -1
	}
	lost := false // the server does not answer
	for {
		if err := p.print(ctx); err != nil {
			if ctx.Err() != nil {
				return nil // interrupted, as it should be
			}
			if !c.is("follow") || !unreachable(err) {
				return err
			}
			if !lost {
				c.say("%s", c.Err.dim("the server does not answer; waiting for it"))
			}
			lost = true
		} else if lost {
			lost = false
			c.say("%s", c.Err.dim("the server answers again"))
		}
		if !c.is("follow") {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pollInterval):
		}
	}
}

// unreachable reports whether a server did not answer, or is about to end or to serve: it may
// answer later.
func unreachable(err error) bool {
	var answer *smithyhttp.ResponseError
	var refused smithy.APIError
	if errors.As(err, &answer) && errors.As(err, &refused) {
		// An error without a name is not the API's, which may not serve yet or any more.
		return answer.HTTPStatusCode() >= 500 || refused.ErrorCode() == "UnknownError"
	}
	return !errors.As(err, &refused)
}

// A logPrinter prints each event once.
type logPrinter struct {
	*Context
	api   *cloudwatchlogs.Client
	group string
	mark  string              // in the names of the function's streams, where the group is not its own
	from  int64               // milliseconds since 1970 of the newest event
	seen  map[string]struct{} // IDs of the events of that time
	// folder stands for /var/task in what is printed; "": nothing does.
	folder string
	left   int // how many more may be printed; negative: all
}

func (p *logPrinter) print(ctx context.Context) error {
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &p.group, StartTime: aws.Int64(p.from)}
	if filter := p.text("filter"); filter != "" {
		in.FilterPattern = &filter
	}
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(p.api, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if errors.As(err, new(*types.ResourceNotFoundException)) {
			return nil // nothing has been logged yet
		}
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			id, at := aws.ToString(e.EventId), aws.ToInt64(e.Timestamp)
			if _, seen := p.seen[id]; seen || p.isOthers(aws.ToString(e.LogStreamName)) {
				continue
			}
			if p.left == 0 {
				return nil
			}
			p.left--
			if at > p.from {
				p.from = at
				clear(p.seen)
			}
			p.seen[id] = struct{}{}
			if err := p.event(logged{time.UnixMilli(at).UTC(), aws.ToString(e.LogStreamName), aws.ToString(e.Message)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// isOthers tells whether a stream is that of another function: they may share a group.
func (p *logPrinter) isOthers(stream string) bool {
	return !strings.Contains(stream, "/[") && !strings.Contains(stream, p.mark)
}

func (p *logPrinter) event(e logged) error {
	return p.Context.print(e, func(w io.Writer) {
		text := e.Message
		if p.folder != "" {
			text = strings.NewReplacer("file:///var/task/", p.folder, "/var/task/", p.folder).Replace(text)
		}
		if n := len(text); n == 0 || text[n-1] != '\n' {
			text += "\n"
		}
		fmt.Fprintf(w, "%s %s", e.Time.Format("2006-01-02T15:04:05.000Z"), text)
	})
}
