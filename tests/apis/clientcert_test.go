package apis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// clientCertificate makes a certificate of a new authority, and the authority as PEM.
func clientCertificate(t *testing.T) (of tls.Certificate, authority []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Shop CA"}, NotBefore: time.Unix(1_600_000_000, 0), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	signed, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(0xa1b2), Subject: pkix.Name{CommonName: "till 7", Organization: []string{"Shop"}}, NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	own, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{own}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
}

func TestEventsHaveTheCertificateOfTheClient(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	certificate, authority := clientCertificate(t)
	trusted := filepath.Join(s.Dir, "authority.pem")
	if err := os.WriteFile(trusted, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	port := harness.FreePort(t)
	s.Configure(functions(s, "echo"), "")
	text, err := os.ReadFile(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(string(text), "auto_https off", "auto_https disable_redirects\n\tskip_install_trust", 1) + fmt.Sprintf(`
https://localhost:%d {
	tls internal {
		client_auth {
			mode verify_if_given
			trust_pool file %s
		}
	}
	api /rest/* old rest {
		GET /rest/{x} echo
	}
	api shop {
		GET /{x} echo
	}
}
`, port, trusted)
	if err := os.WriteFile(s.Config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Start()
	type cert struct {
		ClientCertPem, SubjectDN, IssuerDN, SerialNumber string
		Validity                                         struct{ NotBefore, NotAfter string }
	}
	ask := func(path string, with ...tls.Certificate) (v1, v2 *cert) {
		t.Helper()
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: with}}
		defer transport.CloseIdleConnections()
		res, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Get(fmt.Sprintf("https://localhost:%d%s", port, path))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		var event struct {
			Event struct {
				RequestContext struct {
					Identity       struct{ ClientCert *cert }
					Authentication *struct{ ClientCert *cert }
				}
			}
		}
		if err != nil || json.Unmarshal(body, &event) != nil || res.StatusCode != 200 {
			t.Fatalf("%v %d %s", err, res.StatusCode, body)
		}
		c := event.Event.RequestContext
		if c.Authentication != nil {
			v2 = c.Authentication.ClientCert
		}
		return c.Identity.ClientCert, v2
	}
	check := func(c *cert) {
		t.Helper()
		if c == nil || c.SubjectDN != "CN=till 7,O=Shop" || c.IssuerDN != "CN=Shop CA" || c.SerialNumber != "a1:b2" || c.Validity.NotBefore != "Sep 13 12:26:40 2020 GMT" {
			t.Fatalf("%+v", c)
		}
		if block, _ := pem.Decode([]byte(c.ClientCertPem)); block == nil || string(block.Bytes) != string(certificate.Certificate[0]) {
			t.Errorf("%q", c.ClientCertPem)
		}
	}
	harness.Eventually(t, "Caddy has its certificate", func() bool {
		conn, err := tls.Dial("tcp", fmt.Sprintf("localhost:%d", port), &tls.Config{InsecureSkipVerify: true})
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	v1, none := ask("/rest/a", certificate)
	check(v1)
	_, v2 := ask("/a", certificate)
	check(v2)
	if none != nil {
		t.Errorf("%+v", none)
	}
	for _, path := range []string{"/rest/a", "/a"} {
		if v1, v2 := ask(path); v1 != nil || v2 != nil {
			t.Errorf("%s without a certificate: %+v %+v", path, v1, v2)
		}
	}
}
