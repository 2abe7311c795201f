package tests

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/objectstore"
)

// listing is an event source that lists a bucket of a store every second.
func listing(store *objectstore.Store, bucket, more string) string {
	return fmt.Sprintf("event_source arn:aws:s3:::%s f {\n endpoint %s\n access_key minioadmin minioadmin\n every 1s\n%s}\n", bucket, store.Endpoint, more)
}

// hasListed waits until a bucket was listed for the first time.
func (s *server) hasListed() {
	s.t.Helper()
	eventually(s.t, "the first listing is done", func() bool { return strings.Contains(s.output(), "a bucket was listed for the first time") })
}

// records are those of all events that f has told a recorder, each alone in an event.
func (r *recorder) records(name string) (all []string) {
	for _, body := range r.of(name) {
		var e struct{ Records []json.RawMessage }
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			r.t.Fatal(err)
		}
		for _, one := range e.Records {
			all = append(all, fmt.Sprintf(`{"Records":[%s]}`, one))
		}
	}
	return all
}

// happens waits until f was told exactly what is wanted, by event name and encoded key,
// and checks that it was as S3 says it; n is how many it was told before.
func (r *recorder) happens(region string, n int, want map[string]bool) int {
	r.t.Helper()
	eventually(r.t, fmt.Sprintf("%d changes are told", len(want)), func() bool { return len(r.records("f")) >= n+len(want) })
	all := r.records("f")
	for _, event := range all[n:] {
		if got := checkRecord(r.t, event, region); !want[got] {
			r.t.Errorf("got %s, which did not happen, or twice", got)
		} else {
			delete(want, got)
		}
	}
	for missing := range want {
		r.t.Errorf("no event of %s", missing)
	}
	return len(all)
}

func TestFunctionsGetEventsOfBucketsThatAreListed(t *testing.T) {
	store := objectstore.StartMinIO(t, "", "")
	store.MustMakeBucket(t, "photos")
	store.MustPut(t, "photos", "old.txt", "", []byte("old"))
	store.MustPut(t, "photos", "old too.txt", "", []byte("old"))
	s, r := newServer(t, "", ""), newRecorder(t)
	s.configure("region eu-west-1\n"+listing(store, "photos", "")+r.function(s, "f", ""), "")
	s.start()
	s.hasListed()
	want := make(map[string]bool)
	for key, encoded := range encodedKeys {
		store.MustPut(t, "photos", key, "", []byte("hello"))
		want["ObjectCreated:Put "+encoded] = true
	}
	n := r.happens("eu-west-1", 0, want)
	for key, encoded := range encodedKeys {
		if len(key)%2 == 0 {
			store.MustDelete(t, "photos", key)
			want["ObjectRemoved:Delete "+encoded] = true
		}
	}
	store.MustPut(t, "photos", "old.txt", "", []byte("hello"))
	store.MustPut(t, "photos", "old too.txt", "", []byte("old")) // as it was
	want["ObjectCreated:Put old.txt"] = true
	n = r.happens("eu-west-1", n, want)

	// What happens while the server is away is told when it is back.
	s.kill()
	store.MustPut(t, "photos", "away.txt", "", []byte("hello"))
	store.MustDelete(t, "photos", "old.txt")
	s.spawn()
	want["ObjectCreated:Put away.txt"], want["ObjectRemoved:Delete old.txt"] = true, true
	n = r.happens("eu-west-1", n, want)

	// Nor is anything gone when the store is.
	store.Kill()
	eventually(t, "the problem is in the log", func() bool { return strings.Contains(s.output(), "an event source cannot be polled") })
	store.Start(t)
	store.MustPut(t, "photos", "back.txt", "", []byte("hello"))
	want["ObjectCreated:Put back.txt"] = true
	r.happens("eu-west-1", n, want)
	s.tellsNone("minioadmin")
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
	s, r := newServer(t, "", ""), newRecorder(t)
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
	s.configure("region eu-west-1\n"+listing(store, "photos/in/", "start trim_horizon\nbatch_size 100\n")+r.function(s, "f", ""), "")
	s.start()
	n := r.happens("eu-west-1", 0, want)
	if calls := len(r.of("f")); calls > len(keys)/100 {
		t.Errorf("%d batches, over %d", calls, len(keys)/100)
	}
	for n := 0; n < len(keys); n += 49 {
		store.MustDelete(t, "photos", keys[n])
		want[told("ObjectRemoved:Delete", keys[n])] = true
	}
	r.happens("eu-west-1", n, want)
}

func TestBucketsOfManyKeysAreListedPageByPage(t *testing.T) {
	listPageByPage(t, func(string) *objectstore.Store { return objectstore.StartMinIO(t, "", "") })
}

func TestBucketsOfVersityAreListedPageByPage(t *testing.T) {
	listPageByPage(t, func(webhook string) *objectstore.Store { return objectstore.StartVersity(t, webhook) })
}

func TestObjectsOfListedBucketsSurviveKillsOfBoth(t *testing.T) {
	store, l := objectstore.StartMinIO(t, "", ""), newLedger(t)
	store.MustMakeBucket(t, "photos")
	s := newServer(t, "", "")
	s.configure(listing(store, "photos", "start trim_horizon\n")+
		l.function(s, "f", `"\n".join(r["eventName"].split(":")[0] + "-" + r["s3"]["object"]["key"] for r in event["Records"])`), "")
	s.start()
	accepted := make(map[string]bool)
	const killed = 8
	for n := range killed + 1 {
		for one := range 100 {
			key := fmt.Sprintf("%d-%03d", n, one)
			store.MustPut(t, "photos", key, "", []byte("hello"))
			accepted["ObjectCreated-"+key] = true
		}
		if n > 0 {
			l.wait(accepted)
			for one := range 50 {
				key := fmt.Sprintf("%d-%03d", n-1, one)
				store.MustDelete(t, "photos", key)
				accepted["ObjectRemoved-"+key] = true
			}
		}
		time.Sleep(rand.N(1200 * time.Millisecond)) // any instant
		switch {
		case n == killed:
		case n%4 == 3:
			store.Kill()
			store.Start(t)
		default:
			s.kill()
			s.spawn()
		}
	}
	l.wait(accepted)
	t.Logf("%d changes, %d duplicates after %d kills", len(accepted), l.duplicates("Object"), killed)
	if n := l.duplicates("Object"); n > killed*10 { // a batch for each
		t.Errorf("%d duplicates", n)
	}
}

func TestMappingsOfBucketsAreMadeByTheAPI(t *testing.T) {
	store := objectstore.StartMinIO(t, "", "")
	store.MustMakeBucket(t, "photos")
	store.MustPut(t, "photos", "in/a b.txt", "", []byte("hello"))
	a := newAPI(t, fmt.Sprintf("s3 {\nendpoint %s\naccess_key minioadmin minioadmin\n}\n", store.Endpoint), "")
	_, err := a.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("f"), Runtime: types.RuntimePython313, Handler: aws.String("app.handler"), Role: aws.String(apiRole),
		Code: &types.FunctionCode{ZipFile: zipOf(t, map[string]string{"app.py": logRecords})},
	})
	a.check(err)
	make := func(bucket string) string {
		made, err := a.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
			FunctionName: aws.String("f"), EventSourceArn: aws.String("arn:aws:s3:::" + bucket), StartingPosition: types.EventSourcePositionTrimHorizon,
		})
		a.check(err)
		if *made.BatchSize != 10 {
			t.Errorf("a batch has %d", *made.BatchSize)
		}
		return *made.UUID
	}
	result := func(id, want string) {
		t.Helper()
		eventually(t, want+" is shown", func() bool {
			got, err := a.GetEventSourceMapping(t.Context(), &lambda.GetEventSourceMappingInput{UUID: &id})
			a.check(err)
			return strings.Contains(aws.ToString(got.LastProcessingResult), want)
		})
	}
	id := make("photos/in/")
	a.wantLog("f", "in/a+b.txt")
	result(id, "OK")
	// A bucket that is not there yet is found when it is, and shown as wrong until then.
	missing := make("later")
	result(missing, "NoSuchBucket")
	store.MustMakeBucket(t, "later")
	result(missing, "OK")
}

func TestClusterNodesListABucketInTurn(t *testing.T) {
	store, l := objectstore.StartMinIO(t, "", ""), newLedger(t)
	store.MustMakeBucket(t, "photos")
	c := &cluster{t: t, redis: newRedis(t)}
	for range 2 {
		a := &api{server: newServer(t, "", "")}
		c.nodes = append(c.nodes, a)
		a.configure(fmt.Sprintf("redis %s\nnode n%d\n", c.redis.url(), len(c.nodes))+listing(store, "photos", "start trim_horizon\n")+
			l.function(a.server, "f", `"\n".join("object-" + r["s3"]["object"]["key"] for r in event["Records"])`), clusterSite)
		a.start()
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
	l.wait(accepted)
	got := func(n int) float64 { return c.nodes[n].metric(`hearth_mapping_records_total{function="f"}`) }
	lister := 0
	if got(1) > 0 {
		lister = 1
	}
	if got(0)+got(1) != 60 || got(1-lister) != 0 || l.duplicates("object") != 0 {
		t.Errorf("the nodes were told %v and %v, want one 60, with %d duplicates", got(0), got(1), l.duplicates("object"))
	}
	c.nodes[lister].kill()
	began := time.Now()
	put(1)
	l.wait(accepted)
	t.Logf("the other lists after %s; %d duplicates", time.Since(began), l.duplicates("object"))
	if n := l.duplicates("object"); n > 10 {
		t.Errorf("%d duplicates", n)
	}
}
