package function_test

import (
	"errors"
	"testing"

	"github.com/hearthfn/hearth/warmpool/function"
)

func TestFunctionsAreReferredToAsOnAWS(t *testing.T) {
	tests := []struct{ in, name, qualifier string }{
		{"thumb", "thumb", ""},
		{"thumb:live", "thumb", "live"},
		{"thumb:$LATEST", "thumb", "$LATEST"},
		{"thumb:7", "thumb", "7"},
		{"function:thumb", "thumb", ""},
		{"function:thumb:live", "thumb", "live"},
		{"function", "function", ""},
		{"000000000000:thumb", "thumb", ""},
		{"000000000000:function:thumb", "thumb", ""},
		{"000000000000:function:thumb:live", "thumb", "live"},
		{"000000000000:thumb:live", "thumb", "live"},
		{"000000000000", "000000000000", ""},
		{"us-east-1:000000000000:function:thumb", "thumb", ""},
		{"us-east-1:thumb", "thumb", ""},
		{"arn:aws:lambda:us-east-1:000000000000:function:thumb", "thumb", ""},
		{"arn:aws:lambda:us-east-1:000000000000:function:thumb:live", "thumb", "live"},
		{"arn:aws-us-gov:lambda:us-east-1:000000000000:function:thumb:$LATEST", "thumb", "$LATEST"},
		{"arn", "arn", ""},
		{"", "", ""},
		{":", "", ""},
		{"thumb:", "", ""},
		{"thumb:a:b", "", ""},
		{"thumb:a b", "", ""},
		{"a b", "", ""},
		{"arn:aws:lambda:us-east-1:000000000000:function:", "", ""},
		{"arn:aws:lambda:us-east-1:000000000000:function:thumb:a:b", "", ""},
		{"arn:aws:lambda:us-east-1:000000000000:layer:thumb", "", ""},
		{"arn:aws:s3:us-east-1:000000000000:function:thumb", "", ""},
		{"arn:aws:lambda::000000000000:function:thumb", "", ""},
		{"arn:aws:lambda:us-east-1:0000:function:thumb", "", ""},
	}
	for _, test := range tests {
		name, qualifier, err := function.DefaultAccount.Parse(test.in)
		if name != test.name || qualifier != test.qualifier || (err == nil) != (test.name != "") {
			t.Errorf("%q: %q, %q, %v; want %q, %q", test.in, name, qualifier, err, test.name, test.qualifier)
		}
	}
}

func TestFunctionsElsewhereAreNamedSo(t *testing.T) {
	for in, want := range map[string]error{
		"arn:aws:lambda:us-east-1:111111111111:function:thumb": function.ErrOtherAccount,
		"111111111111:function:thumb":                          function.ErrOtherAccount,
		"arn:aws:lambda:eu-west-1:000000000000:function:thumb": function.ErrOtherRegion,
		"eu-west-1:thumb": function.ErrOtherRegion,
	} {
		if _, _, err := function.DefaultAccount.Parse(in); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
	if _, _, err := function.DefaultAccount.ParseLayer("arn:aws:lambda:us-east-1:111111111111:layer:l:1"); !errors.Is(err, function.ErrOtherAccount) {
		t.Errorf("layer: %v", err)
	}
}

func TestLayersAreReferredToAsOnAWS(t *testing.T) {
	tests := []struct {
		in, name string
		version  uint64
	}{
		{"l", "l", 0},
		{"arn:aws:lambda:us-east-1:000000000000:layer:l", "l", 0},
		{"arn:aws:lambda:us-east-1:000000000000:layer:l:12", "l", 12},
		{"l:1", "", 0},
		{"", "", 0},
		{"l/..", "", 0},
		{"arn:aws:lambda:us-east-1:000000000000:layer:l:0", "", 0},
		{"arn:aws:lambda:us-east-1:000000000000:layer:l:01", "", 0},
		{"arn:aws:lambda:us-east-1:000000000000:layer:l:-1", "", 0},
		{"arn:aws:lambda:us-east-1:000000000000:layer:l:99999999999999999999", "", 0},
		{"arn:aws:lambda:us-east-1:000000000000:function:l:1", "", 0},
	}
	for _, test := range tests {
		name, version, err := function.DefaultAccount.ParseLayer(test.in)
		if name != test.name || version != test.version || (err == nil) != (test.name != "") {
			t.Errorf("%q: %q, %d, %v", test.in, name, version, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a", "a:b", "function:a:b", "arn:aws:lambda:us-east-1:000000000000:function:a:$LATEST", "000000000000:a", "arn:aws:lambda:us-east-1:000000000000:layer:l:1"} {
		f.Add(seed)
	}
	account := function.DefaultAccount
	f.Fuzz(func(t *testing.T, s string) {
		if name, qualifier, err := account.Parse(s); err == nil {
			again, q, err := account.Parse(account.ARN(name, qualifier))
			if err != nil || again != name || q != qualifier {
				t.Fatalf("%q is %q %q, its ARN %q %q, %v", s, name, qualifier, again, q, err)
			}
		}
		if name, version, err := account.ParseLayer(s); err == nil {
			again, v, err := account.ParseLayer(account.LayerARN(name, version))
			if err != nil || again != name || v != version {
				t.Fatalf("%q is %q %d, its ARN %q %d, %v", s, name, version, again, v, err)
			}
		}
	})
}
