package stack

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"

	"github.com/hearthfn/hearth/warmpool/state"
)

// errSealed: the first access key is not the one that the record was written under.
var errSealed = errors.New("its secrets were encrypted under other credentials: the first access key in the file credentials is not the one of then")

// aead encrypts what a stack keeps secret. Its key is made of the credentials that are in force.
func (s store) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(s.key())
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal encrypts a value. It is of no use at another place.
func (s store) seal(place string, value any) (string, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	a, err := s.aead()
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(a.Seal(nil, nil, data, []byte(place))), nil
}

func (s store) unseal(place, sealed string, into any) error {
	a, err := s.aead()
	if err != nil {
		return err
	}
	data, err := base64.StdEncoding.DecodeString(sealed)
	if err == nil {
		data, err = a.Open(nil, nil, data, []byte(place))
	}
	if err != nil {
		return errSealed
	}
	return json.Unmarshal(data, into)
}

// A Given has the values of parameters by name. Those of Hidden are not written in plain text.
type Given struct {
	Values map[string]string `json:"Given,omitempty"`
	Hidden []string          `json:",omitempty"`
	// Sealed has the values of Hidden in a record. Elsewhere it is what this server cannot read.
	Sealed string `json:",omitempty"`
}

// sealed is what a record has of the values.
func (g Given) sealed(s store, place string) (Given, error) {
	secret := make(map[string]string)
	open := make(map[string]string)
	for name, v := range g.Values {
		if slices.Contains(g.Hidden, name) {
			secret[name] = v
		} else {
			open[name] = v
		}
	}
	g.Values = open
	if len(secret) == 0 { // or they cannot be read
		return g, nil
	}
	var err error
	g.Sealed, err = s.seal(place, secret)
	return g, err
}

// open puts the values back that a record has sealed.
func (g *Given) open(s store, place string) {
	if g.Sealed == "" {
		return
	}
	secret := make(map[string]string)
	if s.unseal(place, g.Sealed, &secret) != nil {
		return
	}
	if g.Values == nil {
		g.Values = make(map[string]string)
	}
	for name, v := range secret {
		g.Values[name] = v
	}
	g.Sealed = ""
}

// hidden is what a record has of a thing with secrets.
type hidden struct {
	Properties, Attributes map[string]any
	Secrets                []string
}

func (t *Thing) seal(s store, place string) (err error) {
	if !t.Secret || t.Sealed != "" {
		return nil
	}
	t.Sealed, err = s.seal(place, hidden{t.Properties, t.Attributes, t.Secrets})
	t.Properties, t.Attributes, t.Secrets = nil, nil, nil
	return err
}

func (t *Thing) open(s store, place string) {
	var h hidden
	if t.Sealed == "" || s.unseal(place, t.Sealed, &h) != nil {
		return
	}
	t.Properties, t.Attributes, t.Secrets, t.Sealed = h.Properties, h.Attributes, h.Secrets, ""
}

// things calls do with each thing of a resource.
func (one *Resource) things(do func(*Thing) error) error {
	for at := one; at != nil; at = at.Before {
		if err := do(&at.Thing); err != nil {
			return err
		}
		for n := range at.Stale {
			if err := do(&at.Stale[n].Thing); err != nil {
				return err
			}
		}
	}
	return nil
}

// apart is a resource with things of its own.
func (one *Resource) apart() *Resource {
	if one == nil {
		return nil
	}
	out := *one
	out.Stale, out.Before = slices.Clone(one.Stale), one.Before.apart()
	return &out
}

func (s store) openResource(id string, one *Resource) {
	_ = one.things(func(t *Thing) error { t.open(s, owner(id)+"/"+one.LogicalID); return nil })
}

// putResource is the change that writes a resource.
func (s store) putResource(id string, one *Resource) (state.Change, error) {
	kept := one.apart()
	if err := kept.things(func(t *Thing) error { return t.seal(s, owner(id)+"/"+one.LogicalID) }); err != nil {
		return state.Change{}, err
	}
	return put(recordResource+one.LogicalID, state.Any, kept)
}

func (s store) openStack(of *Stack) {
	of.Given.open(s, owner(of.ID))
	if of.Before != nil {
		of.Before.Given.open(s, owner(of.ID))
	}
}

// putStack is the change that writes a stack.
func (s store) putStack(expected state.Revision, of *Stack) (_ state.Change, err error) {
	kept := *of
	if kept.Given, err = of.Given.sealed(s, owner(of.ID)); err != nil {
		return state.Change{}, err
	}
	if of.Before != nil {
		before := *of.Before
		if before.Given, err = before.Given.sealed(s, owner(of.ID)); err != nil {
			return state.Change{}, err
		}
		kept.Before = &before
	}
	return put(recordStack, expected, &kept)
}

// openChangeSet puts back what the record of a change set has elsewhere.
func (s store) openChangeSet(id string, of *ChangeSet) {
	in := &of.Request
	if in.Older != nil && in.Given.Values == nil {
		in.Given.Values = in.Older
	}
	in.Older = nil
	in.Given.open(s, owner(id)+"/"+of.Name)
}

// putChangeSet is the change that writes a change set.
func (s store) putChangeSet(of *ChangeSet) (_ state.Change, err error) {
	kept := *of
	if kept.Request.Given, err = of.Request.Given.sealed(s, owner(of.StackID)+"/"+of.Name); err != nil {
		return state.Change{}, err
	}
	return put(recordChangeSet+of.Name, state.Any, &kept)
}
