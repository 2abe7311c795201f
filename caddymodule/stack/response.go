package stack

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/hearthfn/hearth/warmpool/state"
)

// ResponsePath begins the paths that custom resources and wait conditions answer at:
// /hearth-stacks/UUID/SECRET. Whoever knows the secret may answer, until the answer came or the
// time is over. The state has its hash.
const ResponsePath = "/hearth-stacks/"

const recordResponse = "response/"

// How long a custom resource may take, and signals of a wait condition, as on AWS.
const (
	maxAnswerTime = time.Hour
	maxWait       = 12 * time.Hour
)

// maxResponse is AWS's limit of an answer, in bytes, and maxSignals bounds those of a handle.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
const (
	maxResponse = 4096
	maxSignals  = 100
)

// An expectation is the record of an answer that somebody waits for.
type expectation struct {
	Until   time.Time
	Signals bool     // several may come
	Came    []string // encrypted: an answer may have secrets
}

// A response is what a custom resource answers.
type response struct {
	Status, Reason     string
	PhysicalResourceID string `json:"PhysicalResourceId"`
	Data               any
	UniqueID           string `json:"UniqueId"` // of a signal
	NoEcho             bool   // Data is secret
}

// expect makes an address for an answer.
func (e *Engine) expect(ctx context.Context, w *Work, most time.Duration) (string, error) {
	signals := w.Type == "AWS::CloudFormation::WaitConditionHandle"
	base := e.Settings().Inside
	if signals { // they come from anywhere
		base = e.Settings().Endpoint
	}
	if base == "" {
		return "", errors.New("this server has no address that a function could answer to")
	}
	secret := rand.Text()
	record, err := put(recordResponse+hashOf(secret), state.Absent, &expectation{Until: e.now().Add(most), Signals: signals})
	if err != nil {
		return "", err
	}
	if _, err := e.Store.Change(ctx, owner(w.stack.ID), record); err != nil {
		return "", err
	}
	return base + ResponsePath + w.stack.UUID() + "/" + secret, nil
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// placeOfResponse is the owner and the name of the record of an address.
func placeOfResponse(path string) (of, name string, ok bool) {
	_, rest, found := strings.Cut(path, ResponsePath)
	id, secret, two := strings.Cut(rest, "/")
	if !found || !two || len(id) != 36 || len(secret) != 26 || strings.ContainsAny(id, "/{}\x00") {
		return "", "", false
	}
	return ownerStack + id, recordResponse + hashOf(secret), true
}

// ServeHTTP takes an answer, which is put to the address that expect made.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	of, name, ok := placeOfResponse(r.URL.Path)
	if !ok || r.Method != http.MethodPut {
		http.Error(w, "Forbidden", http.StatusForbidden)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxResponse))
	if err != nil {
		http.Error(w, "an answer has up to 4096 bytes", http.StatusRequestEntityTooLarge)
		return
	}
	if !json.Valid(body) {
		http.Error(w, "an answer is JSON", http.StatusBadRequest)
		return
	}
	switch err := e.take(r.Context(), of, name, body); {
	case errors.Is(err, ErrNotFound):
		http.Error(w, "Forbidden", http.StatusForbidden)
	case err != nil:
		http.Error(w, "the state cannot be written now", http.StatusServiceUnavailable)
	default:
		w.WriteHeader(http.StatusOK)
	}
}

// take keeps an answer, if one is expected.
func (e *Engine) take(ctx context.Context, of, name string, body []byte) error {
	for range 10 {
		var x expectation
		revision, err := e.store.get(ctx, of, name, &x)
		if err != nil {
			return err
		}
		if !e.now().Before(x.Until) || len(x.Came) > 0 && !x.Signals || len(x.Came) >= maxSignals {
			return ErrNotFound
		}
		sealed, err := e.store.seal(of+"/"+name, json.RawMessage(body))
		if err != nil {
			return err
		}
		x.Came = append(x.Came, sealed)
		change, err := put(name, revision, &x)
		if err != nil {
			return err
		}
		if _, err = e.Store.Change(ctx, of, change); !errors.Is(err, state.ErrConflict) {
			return err
		}
	}
	return state.ErrConflict
}

const noAnswer = wording("CloudFormation did not receive a response from your Custom Resource in time. Please check the logs of its function.")

// await waits until enough says that what came is enough. Answers may come to any node.
func (e *Engine) await(ctx context.Context, address string, most time.Duration, enough func(came []response) (bool, error)) error {
	of, name, ok := placeOfResponse(address)
	if !ok {
		return errors.New("no address of an answer: " + address)
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	changed, err := e.Store.Watch(ctx, of)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(time.Second) // a hint may be lost
	defer ticker.Stop()
	for {
		var x expectation
		if _, err := e.store.get(ctx, of, name, &x); err != nil {
			if ctx.Err() != nil {
				return noAnswer
			}
			return err
		}
		came := make([]response, len(x.Came))
		for n, sealed := range x.Came {
			if err := e.store.unseal(of+"/"+name, sealed, &came[n]); errors.Is(err, errSealed) {
				return sentence("An answer cannot be read: %s", errSealed)
			} else if err != nil {
				return sentence("Invalid PhysicalResourceId or response: the answer is not as AWS describes it")
			}
		}
		if done, err := enough(came); done || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ticker.C:
		case <-ctx.Done():
			return noAnswer
		}
	}
}

// answered waits for the answer of a custom resource, and removes the record of it.
func (e *Engine) answered(ctx context.Context, address string, most time.Duration) (answer response, err error) {
	err = e.await(ctx, address, most, func(came []response) (bool, error) {
		if len(came) > 0 {
			answer = came[0]
		}
		return len(came) > 0, nil
	})
	of, name, ok := placeOfResponse(address)
	if ok {
		_, removed := e.Store.Change(context.WithoutCancel(ctx), of, state.Delete(name, state.Any))
		err = errors.Join(err, removed)
	}
	return answer, err
}

// signals waits for count signals of success at a handle, and returns their data by their IDs.
func (e *Engine) signals(ctx context.Context, handle string, count int, most time.Duration) (map[string]any, error) {
	data := make(map[string]any)
	err := e.await(ctx, handle, most, func(came []response) (bool, error) {
		for _, one := range came {
			if one.Status != "SUCCESS" {
				return false, sentence("WaitCondition received failed message: '%s' for uniqueId: %s", one.Reason, one.UniqueID)
			}
			data[one.UniqueID] = ""
			if one.Data != nil {
				data[one.UniqueID] = one.Data
			}
		}
		return len(data) >= count, nil
	})
	return data, err
}
