package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	"github.com/spf13/pflag"

	"github.com/hearthfn/hearth/caddymodule/engine"
)

var showCommand = &Command{
	Use:   "show NAME",
	Short: "Show one function: URL, versions, aliases, variables, triggers, last error",
	Long: `Shows what a function is made with, its URL, versions, aliases, variables, event
sources, concurrency and the last error that it logged within a day. Values of variables
are shown with --values only.`,
	Args: 1, MaxArgs: 1, Names: true,
	Flags: func(f *pflag.FlagSet) { f.Bool("values", false, "Show the values of variables") },
	Run:   show,
}

// A shown is the output of show with --json.
type shown struct {
	Name        string            `json:"name"`
	ARN         string            `json:"arn"`
	Description string            `json:"description,omitempty"`
	Runtime     string            `json:"runtime"`
	ServedBy    string            `json:"runtime_version,omitempty"`
	Warning     string            `json:"warning,omitempty"`
	Handler     string            `json:"handler"`
	Memory      int32             `json:"memory"`
	Timeout     int32             `json:"timeout"`
	Storage     int32             `json:"ephemeral_storage,omitempty"`
	Modified    string            `json:"last_modified"`
	Caddyfile   bool              `json:"caddyfile,omitempty"`
	URL         string            `json:"url,omitempty"`
	Versions    []string          `json:"versions"`
	Aliases     map[string]string `json:"aliases,omitempty"`
	Layers      []string          `json:"layers,omitempty"`
	Reserved    *int32            `json:"reserved_concurrency,omitempty"`
	Variables   map[string]string `json:"env,omitempty"`
	Sources     []string          `json:"sources,omitempty"`
	LastError   *logged           `json:"last_error,omitempty"`
}

func show(ctx context.Context, c *Context) error {
	t, err := c.target()
	if err != nil {
		return err
	}
	api, name := t.lambda(), c.Flags.Arg(0)
	f, err := api.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	if err != nil {
		return err
	}
	out := shown{
		Name: aws.ToString(f.FunctionName), ARN: aws.ToString(f.FunctionArn), Description: aws.ToString(f.Description), Runtime: string(f.Runtime), Handler: aws.ToString(f.Handler),
		Memory: aws.ToInt32(f.MemorySize), Timeout: aws.ToInt32(f.Timeout), Modified: aws.ToString(f.LastModified), Caddyfile: aws.ToString(f.CodeSha256) == "",
		Versions: []string{},
	}
	name = out.Name
	if f.EphemeralStorage != nil {
		out.Storage = aws.ToInt32(f.EphemeralStorage.Size)
	}
	out.ServedBy, out.Warning = servedBy(f.RuntimeVersionConfig)
	for _, l := range f.Layers {
		out.Layers = append(out.Layers, aws.ToString(l.Arn))
	}
	if f.Environment != nil {
		out.Variables = maps.Clone(f.Environment.Variables)
		for name := range out.Variables {
			if !c.is("values") {
				out.Variables[name] = "..."
			}
		}
	}
	if err := out.more(ctx, api, name); err != nil {
		return err
	}
	if f.LoggingConfig != nil {
		out.LastError = lastError(ctx, t.logs(), aws.ToString(f.LoggingConfig.LogGroup), name)
	}
	return c.print(out, func(w io.Writer) { out.print(w, c.Out) })
}

// more asks for what other operations tell. A function of the Caddyfile has less of it.
func (s *shown) more(ctx context.Context, api *lambda.Client, name string) error {
	versions, err := publishedVersions(ctx, api, name)
	if err == nil {
		for _, v := range versions[1:] {
			s.Versions = append(s.Versions, aws.ToString(v.Version))
		}
	}
	aliases, err2 := api.ListAliases(ctx, &lambda.ListAliasesInput{FunctionName: &name})
	if err2 == nil && len(aliases.Aliases) > 0 {
		s.Aliases = make(map[string]string)
		for _, a := range aliases.Aliases {
			s.Aliases[aws.ToString(a.Name)] = aws.ToString(a.FunctionVersion)
		}
	}
	url, err3 := api.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: &name})
	if err3 == nil {
		s.URL = aws.ToString(url.FunctionUrl)
	}
	reserved, err4 := api.GetFunctionConcurrency(ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: &name})
	if err4 == nil {
		s.Reserved = reserved.ReservedConcurrentExecutions
	}
	mappings, err5 := eventSources(ctx, api, name)
	for _, m := range mappings {
		s.Sources = append(s.Sources, placeOf(&m)+" ("+aws.ToString(m.State)+")")
	}
	for _, err := range []error{err, err2, err3, err4, err5} {
		if err != nil && !errors.As(err, new(smithy.APIError)) {
			return err
		}
	}
	return nil
}

// servedBy is which program serves a runtime, and a warning if it is of another version.
func servedBy(v *types.RuntimeVersionConfig) (version, warning string) {
	if v == nil {
		return "", ""
	}
	arn := aws.ToString(v.RuntimeVersionArn)
	if v.Error != nil {
		warning = aws.ToString(v.Error.Message)
	}
	return arn[strings.LastIndex(arn, ":")+1:], warning
}

// errorsOf is the filter of what runtimes log about a failed invocation.
const errorsOf = `?errorType ?"Task timed out" ?"Status: error" ?Traceback ?ERROR`

// lastError is the newest line of a day that looks like an error; nil if there is none, or if the
// log cannot be read.
func lastError(ctx context.Context, api *cloudwatchlogs.Client, group, name string) *logged {
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group, FilterPattern: aws.String(errorsOf), StartTime: aws.Int64(time.Now().Add(-24 * time.Hour).UnixMilli())}
	others := logPrinter{mark: "/" + name + "["}
	var last *logtypes.FilteredLogEvent
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(api, in)
	for n := 0; pages.HasMorePages() && n < 100; n++ {
		page, err := pages.NextPage(ctx)
		if err != nil {
			break
		}
		for i := range page.Events {
			e := &page.Events[i]
			// A REPORT only says that there was an error.
			isReport := strings.HasPrefix(aws.ToString(e.Message), "REPORT ")
			if !others.isOthers(aws.ToString(e.LogStreamName)) && (last == nil || !isReport) {
				last = e
			}
		}
	}
	if last == nil {
		return nil
	}
	return &logged{time.UnixMilli(aws.ToInt64(last.Timestamp)).UTC(), aws.ToString(last.LogStreamName), strings.TrimSpace(aws.ToString(last.Message))}
}

func (s *shown) print(w io.Writer, style Stream) {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	defer table.Flush() // to a buffer or a terminal
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("name", "%s", style.bold(s.Name))
	if s.Description != "" {
		row("description", "%s", s.Description)
	}
	runtime := s.Runtime
	if s.ServedBy != "" {
		runtime += ", served by " + s.ServedBy
	}
	row("runtime", "%s", runtime)
	row("handler", "%s", s.Handler)
	row("memory", "%d MB", s.Memory)
	row("timeout", "%d s", s.Timeout)
	if s.Caddyfile {
		row("defined", "in the Caddyfile")
	} else {
		row("modified", "%s", s.Modified)
		row("versions", "%s", orNone(strings.Join(s.Versions, ", ")))
	}
	for _, alias := range slices.Sorted(maps.Keys(s.Aliases)) {
		row("alias", "%s: version %s", alias, s.Aliases[alias])
	}
	row("URL", "%s", orNone(s.URL))
	if s.Reserved != nil {
		row("reserved concurrency", "%d", *s.Reserved)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Variables)) {
		row("variable", "%s=%s", name, s.Variables[name])
	}
	for _, layer := range s.Layers {
		row("layer", "%s", layer)
	}
	for _, source := range s.Sources {
		row("event source", "%s", source)
	}
	if s.LastError != nil {
		first, _, _ := strings.Cut(s.LastError.Message, "\n")
		row("last error", "%s  %.300s", s.LastError.Time.Format(time.RFC3339), strings.ReplaceAll(first, "\t", " "))
	}
	if s.Warning != "" {
		row("warning", "%s", s.Warning)
	}
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

var urlCommand = &Command{
	Use:   "url NAME",
	Short: "Print the URL of a function",
	Long:  `Prints the function URL of a function. deploy --url public gives it one.`,
	Args:  1, MaxArgs: 1, Names: true,
	Run: func(ctx context.Context, c *Context) error {
		api, err := c.api()
		if err != nil {
			return err
		}
		name := c.Flags.Arg(0)
		out, err := api.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: &name})
		if err != nil {
			return err
		}
		url := aws.ToString(out.FunctionUrl)
		return c.print(map[string]string{"name": name, "url": url}, func(w io.Writer) { fmt.Fprintln(w, url) })
	},
}

var sourcesCommand = &Command{
	Use:     "sources [NAME]",
	Short:   "List the event sources that are polled",
	Long:    `Lists the event source mappings, of one function or of all.`,
	MaxArgs: 1, Names: true,
	Run: func(ctx context.Context, c *Context) error {
		api, err := c.api()
		if err != nil {
			return err
		}
		all, err := eventSources(ctx, api, c.Flags.Arg(0))
		if err != nil {
			return err
		}
		lags := c.lags()
		out := []source{}
		for _, m := range all {
			lag := lags[aws.ToString(m.UUID)]
			out = append(out, source{
				AgeMS: lag.age, AgeAt: lag.at, ID: aws.ToString(m.UUID), Source: placeOf(&m), Function: aws.ToString(m.FunctionArn), State: aws.ToString(m.State),
				LastResult: aws.ToString(m.LastProcessingResult), BatchSize: aws.ToInt32(m.BatchSize),
			})
		}
		return c.print(out, func(w io.Writer) {
			if len(out) == 0 {
				fmt.Fprintln(w, "no event source is polled: see event_source in the Caddyfile, or aws lambda create-event-source-mapping")
				return
			}
			table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
			defer table.Flush() // to a buffer or a terminal
			fmt.Fprintln(table, "SOURCE\tFUNCTION\tSTATE\tBATCH\tLAG\tLAST RESULT")
			for _, s := range out {
				lag := "-"
				if s.AgeMS != nil {
					lag = (time.Duration(*s.AgeMS) * time.Millisecond).String()
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", s.Source, s.Function[strings.LastIndex(s.Function, ":function:")+len(":function:"):], s.State, s.BatchSize, lag, s.LastResult)
			}
		})
	},
}

// A source is an event source mapping as --json lists it.
type source struct {
	ID         string `json:"id"`
	Source     string `json:"source"`
	Function   string `json:"function"`
	State      string `json:"state"`
	BatchSize  int32  `json:"batch_size"`
	LastResult string `json:"last_result,omitempty"`

	AgeMS *int64     `json:"age_ms,omitempty"` // nil: it is not known
	AgeAt *time.Time `json:"age_at,omitempty"`
}

// placeOf is where a mapping reads: an ARN or a URL, or the brokers and the topic of Kafka.
func placeOf(m *types.EventSourceMappingConfiguration) string {
	if m.EventSourceArn != nil || m.SelfManagedEventSource == nil {
		return aws.ToString(m.EventSourceArn)
	}
	return "kafka://" + strings.Join(m.SelfManagedEventSource.Endpoints["KAFKA_BOOTSTRAP_SERVERS"], ",") + "/" + strings.Join(m.Topics, ",")
}

// A sourceLag is the age of the last record of a source's last batch, and when it had that age.
type sourceLag struct {
	age *int64 // ms
	at  *time.Time
}

// lags are those of the event sources that the server on this machine reads, by the ID. There are
// none of a server elsewhere, whose admin endpoint is not asked, and of one without that endpoint.
func (c *Context) lags() map[string]sourceLag {
	t, err := c.target()
	if err != nil || !t.here {
		return nil
	}
	var list engine.LagList
	if _, err := c.askAdmin(http.MethodGet, "/hearth/sources", nil, &list); err != nil {
		return nil // the rest of the list does not need it
	}
	lags := make(map[string]sourceLag, len(list.Sources))
	for n := range list.Sources {
		lag := &list.Sources[n]
		lags[lag.UUID] = sourceLag{&lag.Age, &lag.At}
	}
	return lags
}

func eventSources(ctx context.Context, api *lambda.Client, name string) (all []types.EventSourceMappingConfiguration, err error) {
	pages := lambda.NewListEventSourceMappingsPaginator(api, &lambda.ListEventSourceMappingsInput{FunctionName: optional(name)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.EventSourceMappings...)
	}
	return all, nil
}
