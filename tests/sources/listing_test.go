package sources

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
	"github.com/hearthfn/hearth/tests/objectstore"
)

// listing is an event source that lists a bucket of a store every second.
func listing(store *objectstore.Store, bucket, more string) string {
	return fmt.Sprintf("event_source arn:aws:s3:::%s f {\n endpoint %s\n access_key minioadmin minioadmin\n every 1s\n%s}\n", bucket, store.Endpoint, more)
}

// hasListed waits until a bucket was listed for the first time.
func hasListed(s *harness.Server) {
	s.T.Helper()
	harness.Eventually(s.T, "the first listing is done", func() bool { return strings.Contains(s.Output(), "a bucket was listed for the first time") })
}

func TestFunctionsGetEventsOfBucketsThatAreListed(t *testing.T) {
	harness.Parallel(t)
	store := objectstore.StartMinIO(t, "", "")
	store.MustMakeBucket(t, "photos")
	store.MustPut(t, "photos", "old.txt", "", []byte("old"))
	store.MustPut(t, "photos", "old too.txt", "", []byte("old"))
	s, r := harness.NewServer(t, "", ""), harness.NewRecorder(t)
	s.Configure("region eu-west-1\n"+listing(store, "photos", "")+r.Function(s, "f", ""), "")
	s.Start()
	hasListed(s)
	want := make(map[string]bool)
	for key, encoded := range harness.EncodedKeys {
		store.MustPut(t, "photos", key, "", []byte("hello"))
		want["ObjectCreated:Put "+encoded] = true
	}
	n := r.Happens("eu-west-1", 0, want, nil)
	for key, encoded := range harness.EncodedKeys {
		if len(key)%2 == 0 {
			store.MustDelete(t, "photos", key)
			want["ObjectRemoved:Delete "+encoded] = true
		}
	}
	store.MustPut(t, "photos", "old.txt", "", []byte("hello"))
	store.MustPut(t, "photos", "old too.txt", "", []byte("old")) // as it was
	want["ObjectCreated:Put old.txt"] = true
	n = r.Happens("eu-west-1", n, want, nil)

	// What happens while the server is away is told when it is back.
	again := make(map[string]bool) // it may be killed before it notes what it has just told
	for key, encoded := range harness.EncodedKeys {
		if len(key)%2 == 0 {
			again["ObjectRemoved:Delete "+encoded] = true
		}
	}
	again["ObjectCreated:Put old.txt"] = true
	s.Kill()
	store.MustPut(t, "photos", "away.txt", "", []byte("hello"))
	store.MustDelete(t, "photos", "old.txt")
	s.Spawn()
	want["ObjectCreated:Put away.txt"], want["ObjectRemoved:Delete old.txt"] = true, true
	n = r.Happens("eu-west-1", n, want, again)

	// Nor is anything gone when the store is.
	store.Kill()
	harness.Eventually(t, "the problem is in the log", func() bool { return strings.Contains(s.Output(), "an event source cannot be polled") })
	store.Start(t)
	store.MustPut(t, "photos", "back.txt", "", []byte("hello"))
	want["ObjectCreated:Put back.txt"] = true
	r.Happens("eu-west-1", n, want, nil)
	s.TellsNone("minioadmin")
}

// manyKeys are keys whose order is not that of a walk through folders.
func manyKeys(n int) (keys []string) {
	shapes := []string{"in/%d/%04d ü", "in/%d-%04d ü", "in/%d.%04d ü", "in/%d/x%04d/ü", "in/%d/x-%04d ü", "in/%d/x.%04d ü"}
	for n := range n {
		keys = append(keys, fmt.Sprintf(shapes[n%len(shapes)], n%20, n))
	}
	return keys
}

// listPageByPage has a bucket of many keys listed.
func listPageByPage(t *testing.T, start func(webhook string) *objectstore.Store) {
	s, r := harness.NewServer(t, "", ""), harness.NewRecorder(t)
	store := start(r.URL + "/hook")
	store.MustMakeBucket(t, "photos")
	keys, want := manyKeys(2500), make(map[string]bool)
	told := func(name, key string) string {
		return name + " " + strings.NewReplacer(" ", "+", "ü", "%C3%BC").Replace(key)
	}
	var all sync.WaitGroup
	for part := range 10 {
		all.Go(func() {
			for n := part; n < len(keys); n += 10 {
				if err := store.Put(t.Context(), "photos", keys[n], "", []byte("hello")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, key := range keys {
		want[told("ObjectCreated:Put", key)] = true
	}
	store.MustPut(t, "photos", "out.txt", "", []byte("hello"))
	s.Configure("region eu-west-1\n"+listing(store, "photos/in/", "start trim_horizon\nbatch_size 100\n")+r.Function(s, "f", ""), "")
	s.Start()
	n := r.Happens("eu-west-1", 0, want, nil)
	if calls := len(r.Of("f")); calls > len(keys)/100 {
		t.Errorf("%d batches, over %d", calls, len(keys)/100)
	}
	for n := 0; n < len(keys); n += 49 {
		store.MustDelete(t, "photos", keys[n])
		want[told("ObjectRemoved:Delete", keys[n])] = true
	}
	r.Happens("eu-west-1", n, want, nil)
}

func TestBucketsOfManyKeysAreListedPageByPage(t *testing.T) {
	harness.Slow(t, "it makes 2500 objects")
	harness.Parallel(t)
	listPageByPage(t, func(string) *objectstore.Store { return objectstore.StartMinIO(t, "", "") })
}

func TestBucketsOfVersityAreListedPageByPage(t *testing.T) {
	harness.Slow(t, "it makes 2500 objects")
	harness.Parallel(t)
	listPageByPage(t, func(webhook string) *objectstore.Store { return objectstore.StartVersity(t, webhook) })
}

func TestObjectsOfListedBucketsSurviveKillsOfBoth(t *testing.T) {
	harness.Slow(t, "it kills many times")
	harness.Parallel(t)
	random := harness.NewRandom(t)
	store, l := objectstore.StartMinIO(t, "", ""), harness.NewLedger(t)
	store.MustMakeBucket(t, "photos")
	s := harness.NewServer(t, "", "")
	s.Configure(listing(store, "photos", "start trim_horizon\n")+
		l.Function(s, "f", `"\n".join(r["eventName"].split(":")[0] + "-" + r["s3"]["object"]["key"] for r in event["Records"])`), "")
	s.Start()
	accepted := make(map[string]bool)
	const killed = 8
	for n := range killed + 1 {
		for one := range 100 {
			key := fmt.Sprintf("%d-%03d", n, one)
			store.MustPut(t, "photos", key, "", []byte("hello"))
			accepted["ObjectCreated-"+key] = true
		}
		if n > 0 {
			l.Wait(accepted)
			for one := range 50 {
				key := fmt.Sprintf("%d-%03d", n-1, one)
				store.MustDelete(t, "photos", key)
				accepted["ObjectRemoved-"+key] = true
			}
		}
		random.Wait(1200 * time.Millisecond)
		switch {
		case n == killed:
		case n%4 == 3:
			store.Kill()
			store.Start(t)
		default:
			s.Kill()
			s.Spawn()
		}
	}
	l.Wait(accepted)
	t.Logf("%d changes, %d duplicates after %d kills", len(accepted), l.Duplicates("Object"), killed)
	if n := l.Duplicates("Object"); n > killed*10 { // a batch for each
		t.Errorf("%d duplicates", n)
	}
}

func TestMappingsOfBucketsAreMadeByTheAPI(t *testing.T) {
	harness.Parallel(t)
	store := objectstore.StartMinIO(t, "", "")
	store.MustMakeBucket(t, "photos")
	store.MustPut(t, "photos", "in/a b.txt", "", []byte("hello"))
	a := harness.NewAPI(t, fmt.Sprintf("s3 {\nendpoint %s\naccess_key minioadmin minioadmin\n}\n", store.Endpoint), "")
	_, err := a.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("f"), Runtime: types.RuntimePython313, Handler: aws.String("app.handler"), Role: aws.String(harness.APIRole),
		Code: &types.FunctionCode{ZipFile: harness.ZipOf(t, map[string]string{"app.py": logRecords})},
	})
	a.Check(err)
	make := func(bucket string) string {
		made, err := a.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
			FunctionName: aws.String("f"), EventSourceArn: aws.String("arn:aws:s3:::" + bucket), StartingPosition: types.EventSourcePositionTrimHorizon,
		})
		a.Check(err)
		if *made.BatchSize != 10 {
			t.Errorf("a batch has %d", *made.BatchSize)
		}
		return *made.UUID
	}
	result := func(id, want string) {
		t.Helper()
		harness.Eventually(t, want+" is shown", func() bool {
			got, err := a.GetEventSourceMapping(t.Context(), &lambda.GetEventSourceMappingInput{UUID: &id})
			a.Check(err)
			return strings.Contains(aws.ToString(got.LastProcessingResult), want)
		})
	}
	id := make("photos/in/")
	a.WantLog("f", "in/a+b.txt")
	result(id, "OK")
	// A bucket that is not there yet is found when it is, and shown as wrong until then.
	missing := make("later")
	result(missing, "NoSuchBucket")
	store.MustMakeBucket(t, "later")
	result(missing, "OK")
}

func TestClusterNodesListABucketInTurn(t *testing.T) {
	harness.Slow(t, "leases last 15 s")
	harness.Parallel(t)
	store, l := objectstore.StartMinIO(t, "", ""), harness.NewLedger(t)
	store.MustMakeBucket(t, "photos")
	c := &harness.Cluster{T: t, Redis: harness.NewRedis(t)}
	for range 2 {
		a := &harness.API{Server: harness.NewServer(t, "", "")}
		c.Nodes = append(c.Nodes, a)
		a.Configure(fmt.Sprintf("%snode n%d\n", harness.RedisOption(c.Redis.URL()), len(c.Nodes))+listing(store, "photos", "start trim_horizon\n")+
			l.Function(a.Server, "f", `"\n".join("object-" + r["s3"]["object"]["key"] for r in event["Records"])`), harness.ClusterSite)
		a.Start()
	}
	accepted := make(map[string]bool)
	put := func(round int) {
		for n := range 60 {
			key := fmt.Sprintf("%d-%02d", round, n)
			store.MustPut(t, "photos", key, "", []byte("hello"))
			accepted["object-"+key] = true
		}
	}
	put(0)
	l.Wait(accepted)
	got := func(n int) float64 { return c.Nodes[n].Metric(`hearth_mapping_records_total{function="f"}`) }
	lister := 0
	if got(1) > 0 {
		lister = 1
	}
	if got(0)+got(1) != 60 || got(1-lister) != 0 || l.Duplicates("object") != 0 {
		t.Errorf("the nodes were told %v and %v, want one 60, with %d duplicates", got(0), got(1), l.Duplicates("object"))
	}
	c.Nodes[lister].Kill()
	began := time.Now()
	put(1)
	l.Wait(accepted)
	t.Logf("the other lists after %s; %d duplicates", time.Since(began), l.Duplicates("object"))
	if n := l.Duplicates("object"); n > 10 {
		t.Errorf("%d duplicates", n)
	}
}
