package push

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // version 1 of SNS's signatures is over SHA-1
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// SNSClient reaches SNS for a source that takes its messages. Both addresses have been
// checked: HTTPS, on a host of SNS, without user or port. An implementation must not
// follow redirects, and limits time and size.
type SNSClient interface {
	// Certificate returns the PEM text at an address of SNS. Answers may be kept,
	// because the certificate at an address does not change.
	Certificate(ctx context.Context, url string) ([]byte, error)
	// Confirm asks for the address that confirms a subscription. It may be called
	// again for the same one.
	Confirm(ctx context.Context, url string) error
}

// snsMaxAge is for how long SNS retries a delivery at most.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
const snsMaxAge = time.Hour

// snsVerifier takes messages of SNS that are signed, new, and of topics it knows.
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
type snsVerifier struct {
	config      Config
	host        *regexp.Regexp
	certificate *regexp.Regexp
}

func newSNSVerifier(c Config) (*snsVerifier, error) {
	for _, topic := range c.Topics {
		if a, err := arn.Parse(topic); err != nil || a.Service != "sns" || a.Resource == "" || strings.Contains(a.Resource, ":") {
			return nil, fmt.Errorf("topic %q is not an ARN such as arn:aws:sns:eu-west-1:123456789012:photos", topic)
		}
	}
	return &snsVerifier{
		config: c,
		host:   regexp.MustCompile(`^sns\.[a-z0-9-]{1,32}\.amazonaws\.com(\.cn)?$`),
		// Other paths of these hosts answer with what the caller chose.
		certificate: regexp.MustCompile(`^/SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem$`),
	}, nil
}

// isSNS says whether a request claims to be of SNS.
func isSNS(r *Request) bool { return r.Header.Get("X-Amz-Sns-Message-Type") != "" }

// admit refuses what cannot be a message of these topics. SNS proves itself in the body
// only.
func (v *snsVerifier) admit(r *Request) (int64, error) {
	if r.Header.Get("X-Amz-Sns-Rawdelivery") == "true" {
		return 0, fmt.Errorf("%w: raw message delivery is not signed; turn it off for the subscription", ErrUnauthorized)
	}
	if topic := r.Header.Get("X-Amz-Sns-Topic-Arn"); topic != "" && !slices.Contains(v.config.Topics, topic) {
		return 0, errTopic
	}
	return MaxSNS, nil
}

var errTopic = fmt.Errorf("%w: its topic is not one of those configured", ErrForbidden)

// verify returns the notification that a request brings, nil if it was about the
// subscription, which it confirms.
func (v *snsVerifier) verify(ctx context.Context, r *Request) (object, error) {
	message, err := decodeObject(r.Body)
	if err != nil {
		return nil, err
	}
	kind, topic := str(message, "Type"), str(message, "TopicArn")
	if !slices.Contains(v.config.Topics, topic) {
		return nil, errTopic
	}
	if err := v.checkSignature(ctx, message); err != nil {
		return nil, err
	}
	at, err := time.Parse(time.RFC3339, str(message, "Timestamp"))
	if err != nil {
		return nil, fmt.Errorf("%w: Timestamp is not a time", ErrMalformed)
	}
	if at.Before(r.Received.Add(-snsMaxAge-v.config.Tolerance)) || at.After(r.Received.Add(v.config.Tolerance)) {
		return nil, fmt.Errorf("%w: Timestamp is further from now than SNS retries", ErrUnauthorized)
	}
	switch kind {
	case "Notification":
		return message, nil
	case "SubscriptionConfirmation":
		return nil, v.confirm(ctx, message)
	}
	return nil, nil // UnsubscribeConfirmation; others have no valid signature
}

func (v *snsVerifier) confirm(ctx context.Context, message object) error {
	address, err := v.address(str(message, "SubscribeURL"))
	if err != nil {
		return fmt.Errorf("SubscribeURL: %w", err)
	}
	query := address.Query()
	if address.Path != "/" || query.Get("Action") != "ConfirmSubscription" || query.Get("TopicArn") != str(message, "TopicArn") {
		return fmt.Errorf("%w: SubscribeURL does not confirm this subscription", ErrForbidden)
	}
	if err := v.config.SNS.Confirm(ctx, address.String()); err != nil {
		// The client's error may have the address in it, and with it the token.
		return fmt.Errorf("%w: the subscription cannot be confirmed", ErrUnavailable)
	}
	return nil
}

// address accepts only addresses at SNS.
func (v *snsVerifier) address(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" || !v.host.MatchString(u.Host) {
		return nil, fmt.Errorf("%w: not an HTTPS address of SNS", ErrForbidden)
	}
	return u, nil
}

func (v *snsVerifier) checkSignature(ctx context.Context, message object) error {
	text, err := snsSigned(message)
	if err != nil {
		return err
	}
	var hash crypto.Hash
	var sum []byte
	switch version := str(message, "SignatureVersion"); version {
	case "1":
		digest := sha1.Sum([]byte(text)) //nolint:gosec // see the import
		hash, sum = crypto.SHA1, digest[:]
	case "2":
		digest := sha256.Sum256([]byte(text))
		hash, sum = crypto.SHA256, digest[:]
	default:
		return fmt.Errorf("%w: SignatureVersion %.20q; 1 and 2 are known", ErrUnauthorized, version)
	}
	signature, err := base64.StdEncoding.DecodeString(str(message, "Signature"))
	if err != nil || len(signature) == 0 {
		return fmt.Errorf("%w: no Signature in base64", ErrUnauthorized)
	}
	address, err := v.address(str(message, "SigningCertURL"))
	if err != nil {
		return fmt.Errorf("SigningCertURL: %w", err)
	}
	if !v.certificate.MatchString(address.Path) || address.RawQuery != "" {
		return fmt.Errorf("%w: SigningCertURL is not the address of a certificate", ErrForbidden)
	}
	pemText, err := v.config.SNS.Certificate(ctx, address.String())
	if err != nil {
		return fmt.Errorf("%w: fetching the certificate of SNS: %w", ErrUnavailable, err)
	}
	key, err := snsKey(pemText)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err := rsa.VerifyPKCS1v15(key, hash, sum, signature); err != nil {
		return fmt.Errorf("%w: the signature does not fit", ErrUnauthorized)
	}
	return nil
}

// snsSigned is the text that is signed: names and values, a line each.
func snsSigned(message object) (string, error) {
	var names []string
	switch kind := str(message, "Type"); kind {
	case "Notification":
		names = []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	case "SubscriptionConfirmation", "UnsubscribeConfirmation":
		names = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	default:
		return "", fmt.Errorf("%w: no message of SNS has the Type %.40q", ErrMalformed, kind)
	}
	var text strings.Builder
	for _, name := range names {
		value, ok := message[name].(string)
		if !ok {
			if name == "Subject" && message[name] == nil {
				continue
			}
			return "", fmt.Errorf("%w: a message of SNS without %s", ErrMalformed, name)
		}
		text.WriteString(name + "\n" + value + "\n")
	}
	return text.String(), nil
}

func snsKey(pemText []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(pemText)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("what is at the address of SNS's certificate is none")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the certificate of SNS: %w", err)
	}
	key, ok := certificate.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("the certificate of SNS has no RSA key")
	}
	return key, nil
}

// until is when a message that verify took is too old to be taken again.
func (v *snsVerifier) until(message object) time.Time {
	at, _ := time.Parse(time.RFC3339, str(message, "Timestamp")) // as verify has
	return at.Add(snsMaxAge + v.config.Tolerance)
}

// sns takes the notifications of topics and makes them what SNS gives to functions.
type sns struct{ verifier *snsVerifier }

func newSNS(c Config) (Source, error) {
	v, err := newSNSVerifier(c)
	return &sns{v}, err
}

func (s *sns) Admit(r *Request) (int64, error) {
	if err := onlyPOST(r); err != nil {
		return 0, err
	}
	return s.verifier.admit(r)
}

// https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
func (s *sns) Decode(ctx context.Context, r *Request) (Delivery, error) {
	message, err := s.verifier.verify(ctx, r)
	if err != nil || message == nil {
		return Delivery{}, err
	}
	topic, id := str(message, "TopicArn"), str(message, "MessageId")
	attributes := message["MessageAttributes"]
	if attributes == nil {
		attributes = object{}
	}
	payload, err := encodeJSON(object{"Records": []any{object{
		"EventSource": "aws:sns", "EventVersion": "1.0",
		"EventSubscriptionArn": r.Header.Get("X-Amz-Sns-Subscription-Arn"),
		"Sns": object{
			"Type": "Notification", "MessageId": id, "TopicArn": topic,
			"Subject": message["Subject"], "Message": message["Message"],
			"Timestamp": message["Timestamp"], "MessageAttributes": attributes,
			"SignatureVersion": message["SignatureVersion"], "Signature": message["Signature"],
			"SigningCertUrl": message["SigningCertURL"], "UnsubscribeUrl": message["UnsubscribeURL"],
		},
	}}})
	if err != nil {
		return Delivery{}, err
	}
	return Delivery{Signed: true, Until: s.verifier.until(message), Events: []Event{{
		Payload: payload, Source: "sns", Name: "Notification",
		Subject: topic[strings.LastIndexByte(topic, ':')+1:],
		Once:    once("sns", topic, id),
	}}}, nil
}
