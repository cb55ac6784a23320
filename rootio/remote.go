package rootio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go-hep.org/x/hep/xrootd"
	"go-hep.org/x/hep/xrootd/xrdfs"
	"go-hep.org/x/hep/xrootd/xrdio"
	"go-hep.org/x/hep/xrootd/xrdproto"
)

// silence is how long a server may say nothing.
const silence = 60 * time.Second

// remotePiece is the number of bytes that are asked for at a time.
const remotePiece = 1 << 20

// schemes are the kinds of servers.
var schemes = map[string]func(ctx context.Context, url string, silence time.Duration) (*remoteFile, error){
	"http": openHTTP, "https": openHTTP, "root": openXRootD, "xroot": openXRootD,
}

// remoteFile is a file of a server. Its errors wrap ErrUnreachable, or say that the file is
// not there.
type remoteFile struct {
	ctx   context.Context
	size  int64
	read  func(p []byte, off int64) (int, error) // at most remotePiece bytes
	close func() error

	mutex sync.Mutex // guards what is read ahead
	at    int64
	ahead []byte
}

func openRemote(ctx context.Context, url string) (*remoteFile, error) {
	scheme, _, _ := strings.Cut(url, "://")
	open, ok := schemes[scheme]
	if !ok {
		return nil, fmt.Errorf("rootio: %q is a remote file of a kind that cannot be read: copy it to this machine first", url)
	}
	f, err := open(ctx, url, silence)
	if err != nil {
		return nil, fmt.Errorf("rootio: could not open %q: %w", url, unreachable(ctx, err))
	}
	return f, nil
}

// unreachable returns the error as one of a server, unless it is of another kind.
func unreachable(ctx context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, ErrUnreachable):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if _, local := errors.AsType[*fs.PathError](err); local { // of the copy on this machine
		return err
	}
	return &kindError{errors.New(oneLine(err)), ErrUnreachable}
}

func oneLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// ReadAt reads what is not read ahead in large pieces, if it follows what was read before.
func (r *remoteFile) ReadAt(p []byte, off int64) (done int, err error) {
	if off+int64(len(p)) > r.size {
		p = p[:max(0, r.size-off)]
		err = io.EOF
	}
	if len(p) >= remotePiece/4 {
		for done < len(p) {
			n, fault := r.read(p[done:min(len(p), done+remotePiece)], off+int64(done))
			if done += n; fault != nil || n == 0 {
				return done, unreachable(r.ctx, cutShort(fault))
			}
		}
		return done, err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for done < len(p) {
		at := off + int64(done)
		if at < r.at || at >= r.at+int64(len(r.ahead)) {
			const small = 1 << 14
			size := int64(small)
			if gap := at - r.at - int64(len(r.ahead)); gap >= 0 && gap < small {
				size = remotePiece
			}
			r.ahead = resize(r.ahead, int(min(size, r.size-at)))
			n, fault := r.read(r.ahead, at)
			r.at, r.ahead = at, r.ahead[:n]
			if n == 0 || fault != nil && fault != io.EOF {
				r.ahead = r.ahead[:0]
				return done, unreachable(r.ctx, cutShort(fault))
			}
		}
		done += copy(p[done:], r.ahead[at-r.at:])
	}
	return done, err
}

// cutShort returns the error of a read that gave too little.
func cutShort(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

var errSilent = errors.New("the server is silent")

// openHTTP opens a file of a web server. If the server does not give parts of files, the
// file is copied to this machine.
func openHTTP(ctx context.Context, url string, silence time.Duration) (*remoteFile, error) {
	client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	get := func(off, n int64, to io.Writer) (size int64, whole bool, err error) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		timer := time.AfterFunc(silence, func() { cancel(errSilent) })
		defer timer.Stop()
		defer func() {
			if err != nil && context.Cause(ctx) == errSilent {
				err = fmt.Errorf("%w for %v", errSilent, silence)
			}
		}()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return 0, false, err
		}
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
		response, err := client.Do(request)
		if err != nil {
			return 0, false, err
		}
		defer response.Body.Close()
		switch response.StatusCode {
		case http.StatusPartialContent:
			_, total, _ := strings.Cut(response.Header.Get("Content-Range"), "/")
			if size, err = strconv.ParseInt(total, 10, 64); err != nil {
				return 0, false, fmt.Errorf("the server does not say how long the file is")
			}
		case http.StatusOK:
			size, whole = response.ContentLength, true
		case http.StatusNotFound, http.StatusGone:
			return 0, false, &kindError{fmt.Errorf("the server says %s", response.Status), fs.ErrNotExist}
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
			return 0, false, fmt.Errorf("the server says %s", response.Status)
		default:
			err := fmt.Errorf("the server says %s", response.Status)
			if response.StatusCode/100 == 4 { // it does not want what it was asked
				err = &kindError{err, fs.ErrPermission}
			}
			return 0, false, err
		}
		buf := make([]byte, 64<<10)
		for {
			n, err := response.Body.Read(buf)
			if n > 0 {
				timer.Reset(silence)
				if _, err := to.Write(buf[:n]); err != nil {
					return 0, false, err
				}
			}
			if err == io.EOF {
				return size, whole, nil
			}
			if err != nil {
				return 0, false, err
			}
		}
	}
	copied, err := os.CreateTemp("", "eidolon-*.root")
	if err != nil {
		return nil, err
	}
	discard := func() error {
		err := copied.Close()
		_ = os.Remove(copied.Name())
		return err
	}
	size, whole, err := get(0, 1<<10, copied)
	f := &remoteFile{ctx: ctx, size: size, close: func() error { return nil }}
	switch {
	case err != nil:
		_ = discard()
		return nil, err
	case whole:
		if f.size, err = copied.Seek(0, io.SeekEnd); err != nil {
			_ = discard()
			return nil, err
		}
		f.read, f.close = copied.ReadAt, discard
		return f, nil
	}
	_ = discard()
	f.read = func(p []byte, off int64) (int, error) {
		w := fixedWriter{p: p}
		_, whole, err := get(off, int64(len(p)), &w)
		if err == nil && (whole || w.n < len(p)) {
			err = io.ErrUnexpectedEOF
		}
		return w.n, err
	}
	f.close = func() error {
		client.CloseIdleConnections()
		return nil
	}
	return f, nil
}

// fixedWriter writes into memory that does not grow.
type fixedWriter struct {
	p []byte
	n int
}

func (w *fixedWriter) Write(b []byte) (int, error) {
	n := copy(w.p[w.n:], b)
	if w.n += n; n < len(b) {
		return n, errors.New("the server sends more than it was asked for")
	}
	return n, nil
}

// openXRootD opens a file of an XRootD server.
func openXRootD(ctx context.Context, url string, silence time.Duration) (f *remoteFile, err error) {
	if _, path, found := strings.Cut(strings.SplitN(url, "://", 2)[1], "/"); !found || path == "" {
		return nil, &kindError{errors.New("it names no file: write root://server//path"), fs.ErrNotExist}
	}
	place, err := xrdio.Parse(url)
	if err != nil {
		return nil, err
	}
	// The client ends the program when its first connection breaks (go-hep v0.40.0,
	// xrootd/session.go), which it must not see.
	door, err := newRelay(ctx, place.Addr, silence)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.Background())
	var client atomic.Pointer[xrootd.Client] // it may come when we have given up
	// do calls what waits for an answer, and gives up when there is none. Then nothing
	// more can be had of the client.
	do := func(call func() error) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		timer := time.AfterFunc(silence, func() { cancel(fmt.Errorf("%w for %v", errSilent, silence)) })
		defer timer.Stop()
		done := make(chan error, 1)
		go func() {
			defer func() {
				if r := recover(); r != nil {
					done <- fmt.Errorf("the client fails: %v", r)
				}
			}()
			done <- call()
		}()
		select {
		case err := <-done:
			if ctx.Err() != nil && err != nil {
				err = context.Cause(ctx)
			}
			return err
		case <-ctx.Done():
			end()
			return context.Cause(ctx)
		case <-door.lost:
			end()
			return errors.New("the server has closed the connection")
		}
	}
	finish := func() error {
		end()
		if c := client.Load(); c != nil {
			go c.Close() // it may wait for ever for those who wait for answers
		}
		door.close()
		return nil
	}
	var file xrdfs.File
	var size int64
	err = do(func() error {
		c, err := xrootd.NewClient(life, door.addr, place.User)
		if err != nil {
			return err
		}
		client.Store(c)
		if file, err = c.FS().Open(life, place.Path, xrdfs.OpenModeOwnerRead, xrdfs.OpenOptionsOpenRead); err != nil {
			return err
		}
		info, err := file.Stat(life)
		size = info.EntrySize
		return err
	})
	if err != nil {
		_ = finish()
		if e, ok := errors.AsType[xrdproto.ServerError](err); ok && e.Code == xrdproto.NotFound {
			err = &kindError{errors.New(oneLine(err)), fs.ErrNotExist}
		}
		return nil, err
	}
	return &remoteFile{ctx: ctx, size: size, close: finish, read: func(p []byte, off int64) (int, error) {
		buf := make([]byte, len(p)) // the client may still write there when we have given up
		got := 0
		err := do(func() (err error) {
			got, err = file.(interface {
				ReadAtContext(ctx context.Context, p []byte, off int64) (int, error)
			}).ReadAtContext(life, buf, off)
			return err
		})
		if err != nil {
			return 0, err
		}
		return copy(p, buf[:min(got, len(buf))]), nil
	}}, nil
}

// relay passes on what a client and a server say to each other. When the server
// breaks off, the client is not told: lost is closed.
type relay struct {
	addr     string // where the client finds it
	lost     chan struct{}
	lose     func() // closes lost, once
	listener net.Listener

	mutex sync.Mutex
	conns []net.Conn
}

func newRelay(ctx context.Context, address string, silence time.Duration) (*relay, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), "1094")
	}
	dialer := net.Dialer{Timeout: silence}
	server, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		_ = server.Close()
		return nil, err
	}
	lost := make(chan struct{})
	d := &relay{addr: listener.Addr().String(), lost: lost, lose: sync.OnceFunc(func() { close(lost) }), listener: listener, conns: []net.Conn{server}}
	go func() {
		client, err := listener.Accept()
		_ = listener.Close() // one connection is enough, and the client does with it
		if err != nil {
			return
		}
		d.mutex.Lock()
		d.conns = append(d.conns, client)
		d.mutex.Unlock()
		go d.pass(server, client)
		d.pass(client, server)
	}()
	return d, nil
}

// pass passes on all that comes from a connection.
func (d *relay) pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	d.lose()
}

func (d *relay) close() {
	_ = d.listener.Close()
	d.mutex.Lock()
	defer d.mutex.Unlock()
	for _, c := range d.conns {
		_ = c.Close()
	}
}
