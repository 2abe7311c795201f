package push

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // version 1 of SNS's signatures is over SHA-1
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"net/url"
	"strings"
	"testing"
)

const (
	topic     = "arn:aws:sns:eu-west-1:123456789012:photos"
	certURL   = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
	subscribe = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + topic + "&Token=t0ken"
)

// snsService signs as SNS does, and is the client too: SNS itself cannot be had here.
type snsService struct {
	key       *rsa.PrivateKey
	pem       []byte
	confirmed []string
	fetched   []string
	err       error // of Certificate
	refusal   error // of Confirm
}

func newSNSService(t testing.TB) *snsService {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &snsService{key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func (s *snsService) Certificate(_ context.Context, url string) ([]byte, error) {
	s.fetched = append(s.fetched, url)
	return s.pem, s.err
}

func (s *snsService) Confirm(_ context.Context, url string) error {
	s.confirmed = append(s.confirmed, url)
	return s.refusal
}

// sign signs a message; the text is put together here as AWS documents it.
func (s *snsService) sign(t testing.TB, m object) {
	t.Helper()
	var text string
	for _, name := range []string{"Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"} {
		if value, ok := m[name].(string); ok {
			text += name + "\n" + value + "\n"
		}
	}
	hash, sum := crypto.SHA256, sha256.Sum256([]byte(text))
	digest := sum[:]
	if m["SignatureVersion"] == "1" {
		old := sha1.Sum([]byte(text)) //nolint:gosec // see the import
		hash, digest = crypto.SHA1, old[:]
	}
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, hash, digest)
	if err != nil {
		t.Fatal(err)
	}
	m["Signature"] = base64.StdEncoding.EncodeToString(signature)
}

func notification(message string) object {
	return object{
		"Type": "Notification", "MessageId": "m-1", "TopicArn": topic, "Message": message,
		"Timestamp": "2026-11-23T04:59:59.123Z", "SignatureVersion": "1", "SigningCertURL": certURL,
		"UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
	}
}

func confirmation() object {
	m := notification("You have chosen to subscribe")
	m["Type"], m["Token"], m["SubscribeURL"] = "SubscriptionConfirmation", "t0ken", subscribe
	return m
}

func snsRequest(m object) *Request {
	b, _ := encodeJSON(m)
	return post(string(b), "X-Amz-Sns-Message-Type", str(m, "Type"), "X-Amz-Sns-Subscription-Arn", topic+":sub", "Content-Type", "text/plain; charset=UTF-8")
}

func TestNotificationsOfSNSBecomeWhatFunctionsGet(t *testing.T) {
	service := newSNSService(t)
	source := newSource(t, "sns", Config{Topics: []string{topic}, SNS: service})
	for _, version := range []string{"1", "2"} {
		for _, subject := range []any{nil, "hello"} {
			m := notification("a\nb")
			m["SignatureVersion"] = version
			if subject != nil {
				m["Subject"] = subject
			}
			service.sign(t, m)
			e := decodeOne(t, source, snsRequest(m))
			want, _ := encodeJSON(object{"Records": []any{object{
				"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": topic + ":sub",
				"Sns": object{
					"Type": "Notification", "MessageId": "m-1", "TopicArn": topic, "Subject": subject, "Message": "a\nb",
					"Timestamp": "2026-11-23T04:59:59.123Z", "SignatureVersion": version, "Signature": m["Signature"],
					"SigningCertUrl": certURL, "UnsubscribeUrl": m["UnsubscribeURL"], "MessageAttributes": object{},
				},
			}}})
			wantJSON(t, e.Payload, string(want))
			if e.Subject != "photos" || e.Once == "" {
				t.Errorf("event = %+v", e)
			}
		}
	}
}

func TestWhatSNSDidNotSignIsRefused(t *testing.T) {
	service := newSNSService(t)
	source := newSource(t, "sns", Config{Topics: []string{topic}, SNS: service})
	tests := map[string]struct {
		change func(object)
		resign bool
		want   error
	}{
		"another message":      {func(m object) { m["Message"] = "other" }, false, ErrUnauthorized},
		"an added subject":     {func(m object) { m["Subject"] = "x" }, false, ErrUnauthorized},
		"another version":      {func(m object) { m["SignatureVersion"] = "2" }, false, ErrUnauthorized},
		"an unknown version":   {func(m object) { m["SignatureVersion"] = "3" }, false, ErrUnauthorized},
		"no signature":         {func(m object) { m["Signature"] = "" }, false, ErrUnauthorized},
		"another topic":        {func(m object) { m["TopicArn"] = topic + "2" }, true, ErrForbidden},
		"an old message":       {func(m object) { m["Timestamp"] = "2026-11-23T03:54:00.000Z" }, true, ErrUnauthorized},
		"a message to come":    {func(m object) { m["Timestamp"] = "2026-11-23T05:06:00.000Z" }, true, ErrUnauthorized},
		"no time":              {func(m object) { m["Timestamp"] = "now" }, true, ErrMalformed},
		"an unknown type":      {func(m object) { m["Type"] = "Other" }, false, ErrMalformed},
		"no message":           {func(m object) { delete(m, "Message") }, false, ErrMalformed},
		"a subject of numbers": {func(m object) { m["Subject"] = 1 }, false, ErrMalformed},
	}
	for name, test := range tests {
		m := notification("hello")
		service.sign(t, m)
		test.change(m)
		if test.resign {
			service.sign(t, m)
		}
		if _, err := source.Decode(t.Context(), snsRequest(m)); !errors.Is(err, test.want) {
			t.Errorf("%s: error = %v, want %v", name, err, test.want)
		}
	}
	raw := snsRequest(notification("hello"))
	raw.Header.Set("X-Amz-Sns-Rawdelivery", "true")
	wantError(t, source, raw, ErrUnauthorized, "raw message delivery")
}

func TestCertificatesAreFetchedFromSNSOnly(t *testing.T) {
	service := newSNSService(t)
	source := newSource(t, "sns", Config{Topics: []string{topic}, SNS: service})
	for _, address := range []string{
		"", "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem",
		"https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0a.pem",
		"https://evil.example/SimpleNotificationService-0a.pem",
		"https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-0a.pem",
		"https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-0a.pem",
		"https://u@sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem",
		"https://s3.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem",
		"https://sns.eu-west-1.amazonaws.com/?Action=x&y=/SimpleNotificationService-0a.pem",
		"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem?x=y",
		"https://sns.eu-west-1.amazonaws.com/evil/SimpleNotificationService-0a.pem",
		"https://sns.eu-west-1.amazonaws.com/other.pem",
	} {
		m := notification("hello")
		m["SigningCertURL"] = address
		service.sign(t, m)
		wantError(t, source, snsRequest(m), ErrForbidden, "SigningCertURL")
	}
	if len(service.fetched) > 0 {
		t.Errorf("fetched %q", service.fetched)
	}

	m := notification("hello")
	service.sign(t, m)
	service.err = errors.New("no route")
	wantError(t, source, snsRequest(m), ErrUnavailable, "no route")
	service.err, service.pem = nil, []byte("<html>")
	wantError(t, source, snsRequest(m), ErrUnavailable, "is none")
}

func TestSubscriptionsAreConfirmedAtSNSOnly(t *testing.T) {
	service := newSNSService(t)
	source := newSource(t, "sns", Config{Topics: []string{topic}, SNS: service})
	confirm := func(address string) error {
		m := confirmation()
		m["SubscribeURL"] = address
		service.sign(t, m)
		d, err := source.Decode(t.Context(), snsRequest(m))
		if len(d.Events) > 0 {
			t.Error("a confirmation is an event")
		}
		return err
	}
	if err := confirm(subscribe); err != nil || len(service.confirmed) != 1 {
		t.Fatalf("confirmed %q, %v", service.confirmed, err)
	}
	for _, address := range []string{
		"https://evil.example/?Action=ConfirmSubscription&TopicArn=" + topic,
		strings.Replace(subscribe, "ConfirmSubscription", "DeleteTopic", 1),
		strings.Replace(subscribe, ":photos", ":other", 1),
		strings.Replace(subscribe, "https", "http", 1),
	} {
		if err := confirm(address); !errors.Is(err, ErrForbidden) {
			t.Errorf("%s: %v", address, err)
		}
	}
	unsigned := confirmation()
	unsigned["Signature"] = "AAAA"
	wantError(t, source, snsRequest(unsigned), ErrUnauthorized, "does not fit")
	if len(service.confirmed) != 1 {
		t.Errorf("confirmed %q", service.confirmed)
	}
	service.refusal = errors.New("get " + subscribe + ": no route")
	m := confirmation()
	m["SigningCertURL"] = certURL
	service.sign(t, m)
	if _, err := source.Decode(t.Context(), snsRequest(m)); !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "t0ken") {
		t.Errorf("error = %v", err)
	}
}

func TestS3SendsByWayOfSNS(t *testing.T) {
	service := newSNSService(t)
	source := newSource(t, "s3", Config{Topics: []string{topic}, SNS: service})
	for message, events := range map[string]int{
		s3Record("aws:s3", "in/a+b%2B%C3%BC.jpg"):                              1,
		`{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`:          0,
		strings.Replace(s3Record("aws:s3", "a"), "s3:ObjectCr", "ObjectCr", 1): 1,
	} {
		m := notification(message)
		service.sign(t, m)
		d, err := source.Decode(t.Context(), snsRequest(m))
		if err != nil || len(d.Events) != events {
			t.Errorf("%s gives %+v, %v", message, d, err)
		}
		tampered := maps.Clone(m)
		tampered["Message"] = strings.Replace(message, `"b"`, `"c"`, 1)
		wantError(t, source, snsRequest(tampered), ErrUnauthorized, "does not fit")
	}
	// Neither way in opens the other.
	wantError(t, source, post(s3Record("aws:s3", "a")), ErrUnauthorized, "no token")
	withToken := newSource(t, "s3", Config{Tokens: []string{"t"}})
	wantError(t, withToken, snsRequest(notification("{}")), ErrForbidden, "topic is configured")
}

func TestTopicsAreARNs(t *testing.T) {
	for _, wrong := range []string{"photos", "arn:aws:sqs:eu-west-1:123456789012:photos", "arn:aws:sns:eu-west-1:1:"} {
		if _, err := New("sns", Config{Topics: []string{wrong}, SNS: newSNSService(t)}); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// FuzzSNS has no certificate, so nothing can be signed: all that may happen is that one
// is looked for, at SNS.
func FuzzSNS(f *testing.F) {
	service := &snsService{err: errors.New("no certificate")}
	source := newSource(f, "sns", Config{Topics: []string{topic}, SNS: service})
	for _, m := range []object{notification("hello"), confirmation()} {
		m["Signature"] = "AAAA"
		f.Add(snsRequest(m).Body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		service.fetched, service.confirmed = nil, nil
		if d, err := source.Decode(t.Context(), post(string(body))); err == nil || len(d.Events) > 0 || len(service.confirmed) > 0 {
			t.Errorf("taken without a signature: %s", body)
		}
		for _, address := range service.fetched {
			u, err := url.Parse(address)
			if err != nil || u.Scheme != "https" || !strings.HasPrefix(u.Host, "sns.") || !strings.HasSuffix(strings.TrimSuffix(u.Host, ".cn"), ".amazonaws.com") {
				t.Errorf("fetched %s", address)
			}
		}
	})
}
