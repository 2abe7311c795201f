package authorizer

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// numberOf is a number as a JSON web key has it.
func numberOf(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }

func TestAHostileIssuerCostsLittle(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	right := fmt.Sprintf(`{"kty":"RSA","kid":"k","n":%q,"e":"AQAB"}`, numberOf(key.N))
	huge := new(big.Int).Lsh(big.NewInt(1), 1<<20)
	huge.Add(huge, big.NewInt(1))
	for name, test := range map[string]struct {
		keys string
		ok   bool
	}{
		"10,000 keys":                 {strings.Repeat(right+",", 10000), false},
		"more than 1 MB":              {`"` + strings.Repeat("x", 1<<20) + `",`, false},
		"a modulus of 1,000,000 bits": {fmt.Sprintf(`{"kty":"RSA","kid":"k","n":%q,"e":"AQAB"},`, numberOf(huge)), false},
		"a huge exponent":             {fmt.Sprintf(`{"kty":"RSA","kid":"k","n":%q,"e":%q},`, numberOf(key.N), numberOf(huge)), false},
		"an exponent of 1":            {fmt.Sprintf(`{"kty":"RSA","kid":"k","n":%q,"e":"AQ"},`, numberOf(key.N)), false},
		"deep":                        {strings.Repeat("[", 100000), false},
		"900 of one ID":               {strings.Repeat(right+",", 900), true},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.set(func() { i.junk = `{"keys":[` + strings.TrimSuffix(test.keys, ",") + `]}` })
			j, c := newJWT(t, i)
			token := sign(t, "k", key, jose.RS256, map[string]any{"iss": i.URL, "aud": "shop", "exp": c.now().Unix() + 60})
			began := time.Now()
			_, err := j.Authorize(bearer(token), nil)
			if (err == nil) != test.ok {
				t.Errorf("%v", err)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			if n := len(j.keys.keys["k"]); n > maxSameID {
				t.Errorf("a token is checked by %d keys", n)
			}
		})
	}
}

func TestAnIssuerDoesNotSendFetchesToOtherPlaces(t *testing.T) {
	for _, address := range []string{"169.254.169.254:80", "[fe80::1]:80", "[fd00:ec2::254]:80", "0.0.0.0:80", "[::ffff:169.254.169.254]:80"} {
		if forbid("tcp", address, nil) == nil {
			t.Errorf("%s is reached", address)
		}
	}
	if err := forbid("tcp", "192.0.2.1:443", nil); err != nil {
		t.Error(err)
	}
	for _, to := range []string{"https://169.254.169.254/latest/meta-data", "http://192.0.2.1/keys", "ftp://127.0.0.1/keys"} {
		issuer := httptest.NewServer(http.RedirectHandler(to, http.StatusFound))
		t.Cleanup(issuer.Close)
		k := NewKeySet(KeySource{Issuer: issuer.URL})
		t.Cleanup(k.Close)
		if _, _, err := k.find(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "no address of an issuer") && !strings.Contains(err.Error(), "use https") && !strings.Contains(err.Error(), "is not an address") {
			t.Errorf("%s: %v", to, err)
		}
	}
	k := NewKeySet(KeySource{Issuer: "https://id.example.com"})
	t.Cleanup(k.Close)
	from, err := http.NewRequest("GET", "https://id.example.com/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	to, err := http.NewRequest("GET", "http://127.0.0.1:2019/config", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.redirect(to, []*http.Request{from}); err == nil || !strings.Contains(err.Error(), "this machine") {
		t.Error(err)
	}
}

func TestASlowIssuerHoldsNobodyForLong(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	k := NewKeySet(KeySource{Issuer: "http://" + l.Addr().String()}) // which never answers
	t.Cleanup(k.Close)
	k.most = 50 * time.Millisecond
	var now clock
	k.now = now.now
	now.Store(1000)
	if _, _, err := k.find(t.Context(), "k"); err == nil {
		t.Error("an issuer that says nothing has keys")
	}
	k.most = time.Hour // which a second fetch would take
	if _, _, err := k.find(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Error(err)
	}
}
