package pull

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// A redisReader waits for records on a connection of its own. The client ends no read when
// its context ends, so Redis is asked to.
type redisReader struct {
	*redisStream
	conn *redis.Conn
	end  func() // ends what watches ctx, and waits for it
}

// redisUnblockEvery is how often CLIENT UNBLOCK is sent again. A read may begin just after one.
const redisUnblockEvery = 50 * time.Millisecond

// newReader makes a reader that stops waiting when ctx ends. If the user of Redis may not call
// CLIENT, the reader waits redisBlock at most.
func (s *redisStream) newReader(ctx context.Context) *redisReader {
	r := &redisReader{redisStream: s, conn: s.client.Conn(), end: func() {}}
	own, cancel := context.WithTimeout(ctx, redisWithin)
	defer cancel()
	id, err := r.conn.ClientID(own).Result()
	if err != nil {
		return r
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-ctx.Done():
		case <-over:
			return
		}
		r.unblock(id, over)
	}()
	r.end = func() { close(over); <-ended }
	return r
}

// unblock asks Redis to end the wait of a connection until it is over. A closed connection
// would end it too, and leave what is just being read to others, 15 s later.
func (r *redisReader) unblock(id int64, over <-chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), redisWithin)
	defer cancel()
	for r.client.ClientUnblock(ctx, id).Err() == nil {
		select {
		case <-over:
			return
		case <-time.After(redisUnblockEvery):
		}
	}
}

func (r *redisReader) close() {
	r.end()
	r.conn.Close()
}

// gather reads a batch; none if there was nothing for a while.
func (r *redisReader) gather(ctx context.Context) (all []redis.XMessage, err error) {
	until := time.Now().Add(redisBlock)
	size := 0 // bytes, about
	for len(all) < r.size() {
		left := time.Until(until)
		if left < time.Millisecond { // 0 would block without an end
			break
		}
		got, err := r.conn.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: r.group, Consumer: r.consumer, Streams: []string{r.name, ">"}, Count: int64(r.size() - len(all)), Block: left,
		}).Result()
		if errors.Is(err, redis.Nil) {
			break
		}
		if err != nil {
			if len(all) > 0 && ctx.Err() != nil {
				break // what was read is done
			}
			return all, err
		}
		if len(all) == 0 {
			until = time.Now().Add(r.window())
		}
		for _, one := range got {
			r.claimed(one.Messages) // while they wait for more, too
			all = append(all, one.Messages...)
			for i := range one.Messages {
				for _, value := range one.Messages[i].Values {
					text, _ := value.(string)
					size += len(text)
				}
			}
		}
		if size >= maxEvent {
			break
		}
	}
	return all, nil
}
