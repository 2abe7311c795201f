package iam

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/document"
	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/state/boltstore"
)

const trustLambda = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}`

func newService(t testing.TB) *service {
	t.Helper()
	records, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := records.Close(); err != nil {
			t.Error(err)
		}
	})
	return newIAM(Config{Store: document.New(records), Account: function.DefaultAccount, Now: time.Now})
}

// A tool that deploys a large application makes its roles all at once.
func TestRolesThatAreMadeAtOnceAreAllMade(t *testing.T) {
	s, ctx := newService(t), context.Background()
	const many = 100
	var all sync.WaitGroup
	for n := range many {
		all.Go(func() {
			name := fmt.Sprintf("r%d", n)
			if _, err := s.createRole(ctx, &createRoleInput{RoleName: name, AssumeRolePolicyDocument: trustLambda}); err != nil {
				t.Error(err)
			}
			if _, err := s.attachRolePolicy(ctx, &attachInput{name, ownedByAWS + "AdministratorAccess"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	out, err := s.getPolicy(ctx, &policyInput{ownedByAWS + "AdministratorAccess"})
	if err != nil || out.Policy.AttachmentCount != many {
		t.Errorf("%+v %v", out, err)
	}
}

func TestAWaitingChangeEndsWithItsCaller(t *testing.T) {
	s := newService(t)
	s.turn <- struct{}{} // another change runs
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.deleteRole(ctx, &roleInput{"r"}); err == nil || ctx.Err() == nil {
		t.Errorf("%v", err)
	}
	<-s.turn
}

func BenchmarkGetRoleAmong1000(b *testing.B) {
	s, ctx := newService(b), context.Background()
	for n := range 1000 {
		if _, err := s.createRole(ctx, &createRoleInput{RoleName: fmt.Sprintf("r%d", n), AssumeRolePolicyDocument: trustLambda}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := s.getRole(ctx, &roleInput{"r500"}); err != nil {
			b.Fatal(err)
		}
	}
}
