package apigateway

import (
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"time"
)

// appendClientCert appends the certificate of a client of mutual TLS. ok is false if there is none
// that the server has verified.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func appendClientCert(dst []byte, key string, state *tls.ConnectionState) (_ []byte, ok bool) {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return dst, false
	}
	of := state.VerifiedChains[0][0]
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: of.Raw})
	dst = appendQuoted(dst, key+`{"clientCertPem":`, string(text))
	dst = appendQuoted(dst, `,"subjectDN":`, of.Subject.String())
	dst = appendQuoted(dst, `,"issuerDN":`, of.Issuer.String())
	dst = appendQuoted(dst, `,"serialNumber":`, serialNumber(of.SerialNumber.Bytes()))
	dst = appendQuoted(dst, `,"validity":{"notBefore":`, certTime(of.NotBefore))
	dst = appendQuoted(dst, `,"notAfter":`, certTime(of.NotAfter))
	return append(dst, "}}"...), true
}

// serialNumber is a number as AWS writes it: a1:b2:c3.
func serialNumber(number []byte) string {
	var text []byte
	for n, b := range number {
		if n > 0 {
			text = append(text, ':')
		}
		text = hex.AppendEncode(text, []byte{b})
	}
	return string(text)
}

// certTime is a time as AWS writes those of certificates.
func certTime(t time.Time) string { return t.UTC().Format("Jan _2 15:04:05 2006 GMT") }
