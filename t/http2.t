# HTTP/2: bodies with and without Content-Length, refusals, several streams

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use CodatTest;
use IO::Select ();
use IO::Socket::INET ();
use JSON::PP ();
use Time::HiRes qw(time);

my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $version = `$binary -V 2>&1`;
plan skip_all => 'nginx without HTTP/2'
    if $version !~ /--with-http_v2_module/;
plan skip_all => 'no nghttp' if !`nghttp --version`;

# "http2" moved out of "listen" in 1.25.1

my ($major, $minor, $patch) = $version =~ m{ nginx/(\d+)\.(\d+)\.(\d+) }x
    ? ($1, $2, $3) : (1, 22, 1);
my $new = $major * 1e6 + $minor * 1e3 + $patch >= 1_025_001;

my $secret = new_secret();
my $other = new_secret();
my $app = CodatTest::Upstream->new(handler => sub {
    return { status => 204, delay => 0.2 };
});

my $nginx = CodatTest::Nginx->new(
    level => 'info',
    listen => '127.0.0.1:{{port}}' . ($new ? '' : ' http2'),
    conf => {
        http => "codat_zone zone=codat:4m;
                 codat_credential signature $secret;
                 client_max_body_size 1m;
                 keepalive_timeout 5s;",
        server => ($new ? 'http2 on;' : '') . '
            location /webhook { codat_webhook zone=codat; }
            location /small { codat_webhook zone=codat;
                              client_body_buffer_size 1k; }
            location /file { codat_webhook zone=codat;
                             client_body_in_file_only clean; }
            location /unbuffered { codat_webhook zone=codat;
                                   client_body_buffer_size 100; }
            location /client { codat_webhook zone=codat; codat_client mine; }
            location /slow { codat_webhook zone=codat;
                             codat_forward * /app; }
            location /app { proxy_pass http://' . $app->address . '; }',
    },
)->start;


sub webhook {
    my $length = shift;

    my $body = '{"id":"e","pad":""}';
    substr($body, -2, 0, 'x' x ($length - length $body));

    return $body;
}


# h2($method, $uri, $headers, $body, %opt): one request by nghttp; without
# "length => 1" its body goes without Content-Length

sub h2 {
    my ($method, $uri, $headers, $body, %opt) = @_;

    my @command = ('nghttp', '-v', '-t', '15', '-H', ":method: $method",
                   map { ('-H', $_) } split(/\n/, $headers));
    push @command, '-d', $nginx->file('body', $body) if defined $body;
    push @command, '--no-content-length' if !$opt{length};

    open(my $out, '-|', @command, 'http://127.0.0.1:' . $nginx->port . $uri)
        or die "nghttp: $!\n";
    my $text = do { local $/; <$out> };
    close($out);

    my @headers = $text =~ /recv \(stream_id=\d+\) (\S+: .*)/g;
    my ($status) = CORE::join("\n", @headers) =~ /^:status: (\d+)/m;
    my ($said) = $text =~ /^([{<].*?)\[ *\d+\.\d+\] recv DATA frame/ms;

    return { status => $status // "no answer: $text", body => $said // '',
             head => CORE::join("\n", @headers) };
}

sub outcome {
    my $response = shift;
    my $json = eval { JSON::PP->new->utf8->decode($response->{body}) } // {};

    return CORE::join(' ', $response->{status},
                      $json->{code} // $json->{result} // '?');
}

sub header {
    my ($response, $name) = @_;
    return ($response->{head} =~ /^\Q$name\E: (.*)$/mi)[0];
}


# right and wrong, of every size, in every place

for my $place (qw(webhook small file unbuffered)) {
    for my $length (1, 0) {
        for my $size (30, 1023, 1024, 16_384, 65_535, 65_536, 300_000,
                      1_048_576)
        {
            my $name = "$place, $size bytes"
                . ($length ? '' : ' without Content-Length');
            my $body = webhook($size);

            my $response = h2('POST', "/$place",
                signed_headers($secret, $body), $body, length => $length);
            is($response->{status}, 200, "$name: status");
            is($response->{body},
               '{"id":"e","type":"unknown","result":"accepted"}',
               "$name: answer");
            is(header($response, 'Content-Type'), 'application/json',
               "$name: type");

            next if $size > 20_000 && $size != 300_000;
            is(outcome(h2('PUT', "/$place", signed_headers($other, $body),
                            $body, length => $length)),
               '401 signature_mismatch', "$name: a wrong signature");
        }

        my $response = h2('POST', "/$place",
            signed_headers($secret, webhook(1_048_577)), webhook(1_048_577),
            length => $length);
        is(outcome($response), '413 body_too_large', "$place: too large"
           . ($length ? '' : ' without Content-Length'));
        is(header($response, 'Content-Type'), 'application/problem+json',
           "$place: too large: a problem");
    }

    is(outcome(h2('POST', "/$place", signed_headers($secret, ''), '')),
       '400 malformed_json', "$place: an empty body");
    is(outcome(h2('POST', "/$place", signed_headers($secret, ''))),
       '400 malformed_json', "$place: no body at all");
}


# refusals

for my $length (1, 0) {
    for my $size (100, 300_000) {
        my $body = webhook($size);
        my $good = signed_headers($secret, $body);

        for (
            ['401 signature_missing', 'POST', '/webhook', "X-Y: z\n"],
            ['401 timestamp_out_of_tolerance', 'POST', '/webhook',
             signed_headers($secret, $body, offset => -1000)],
            ['405 method_not_allowed', 'DELETE', '/webhook', $good],
            ['405 method_not_allowed', 'PATCH', '/small', $good],
            ['415 unsupported_media_type', 'POST', '/webhook',
             "${good}Content-Encoding: gzip\n"],
            ['403 client_not_allowed', 'POST', '/client',
             "${good}X-Codat-ClientId: alien\n"],
        ) {
            my ($expected, @request) = @$_;
            my $response = h2(@request, $body, length => $length);
            my $name = "$expected, $size bytes"
                . ($length ? '' : ' without Content-Length');

            is(outcome($response), $expected, $name);
            is(header($response, 'Content-Type'), 'application/problem+json',
               "$name: a problem");
            is(header($response, 'Allow'),
               $expected =~ /^405/ ? 'POST, PUT' : undef, "$name: Allow");
            like(header($response, 'WWW-Authenticate') // '',
                 $expected =~ /^401/ ? qr/^Signature / : qr/^$/,
                 "$name: WWW-Authenticate");
        }
    }
}

is(outcome(h2('GET', '/webhook', '')), '405 method_not_allowed', 'GET');
is(outcome(h2('HEAD', '/webhook', '')), '405 ?', 'HEAD');

# a stranger is answered before the body: nothing of it is sent here

SKIP: {
    skip('no Protocol::HTTP2', 6)
        if !eval { require Protocol::HTTP2::Client; 1 };

    # streams(@requests): [method, uri, headers, body], all of them at once on
    # one connection; returns what outcome() says of each

    my $streams = sub {
        my @requests = @_;
        my (@got, $failed);
        my $left = @requests;

        my $client = Protocol::HTTP2::Client->new(
            on_error => sub { $failed = "error $_[0]" }, keepalive => 1);

        for my $i (0 .. $#requests) {
            my ($method, $uri, $headers, $body) = @{$requests[$i]};
            $client->request(
                ':scheme' => 'http', ':path' => $uri, ':method' => $method,
                ':authority' => '127.0.0.1:' . $nginx->port,
                headers => [map { /^(\S+): (.*)/ ? (lc $1, $2) : () }
                            split(/\n/, $headers)],
                (defined $body ? (data => $body) : ()),
                on_done => sub {
                    my %header = @{$_[0]};
                    $got[$i] = outcome({ status => $header{':status'},
                                         body => $_[1] });
                    $left--;
                },
            );
        }

        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $nginx->port) or die "connect: $@\n";
        my $until = time + 10;

        while ($left && !$failed && time < $until) {
            while (my $frame = $client->next_frame) {
                syswrite($socket, $frame);
            }
            next unless IO::Select->new($socket)->can_read(0.1);
            sysread($socket, my $bytes, 65536) or last;
            $client->feed($bytes);
        }

        $client->close;
        while (my $frame = $client->next_frame) { syswrite($socket, $frame) }

        return [map { $_ // $failed // 'no answer' } @got[0 .. $#requests]];
    };

    my $body = webhook(2000);
    my @all = map {
        my $good = signed_headers($secret, $body);
        (
            ['200 accepted', 'POST', '/webhook', $good, $body],
            ['401 signature_mismatch', 'POST', '/small',
             signed_headers($other, $body), $body],
            ['401 signature_missing', 'POST', '/webhook', '', $body],
            ['405 method_not_allowed', 'DELETE', '/webhook', $good, $body],
            ['400 malformed_json', 'POST', '/file',
             signed_headers($secret, '['), '['],
            ['200 accepted', 'POST', '/slow', signed_headers($secret, $body),
             $body],
        )
    } 1 .. 5;
    my @expected = map { $_->[0] } @all;

    is_deeply($streams->(map { [@$_[1 .. 4]] } @all), \@expected,
              scalar(@all) . ' streams of one connection');

    # forwards of different streams run at the same time

    my $start = time;
    my @slow = map {
        ['POST', '/slow', signed_headers($secret, $body), $body] } 1 .. 20;
    is_deeply($streams->(@slow), [('200 accepted') x 20], '20 slow streams');
    cmp_ok(time - $start, '<', slow(3.5), '... are not served one by one');

    # the same message twice at once

    my $same = signed_headers($secret, $body, id => 'msg_same');
    my $got = $streams->(map { ['POST', '/slow', $same, $body] } 1, 2);
    is_deeply([sort @$got], ['200 accepted', '503 in_progress'],
              'one message on two streams');

    # streams that end in the middle: the connection and the others go on

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $nginx->port) or die "connect: $@\n";
    my $frame = sub {
        my ($type, $flags, $stream, $payload) = @_;
        return substr(pack('N', length $payload), 1)
            . pack('CCN', $type, $flags, $stream) . $payload;
    };
    my $literal = sub {
        my ($name, $value) = @_;
        return "\0" . chr(length $name) . $name . chr(length $value) . $value;
    };
    my $head = sub {
        my $headers = shift;
        return CORE::join('', map { $literal->(@$_) } [':method', 'POST'],
            [':scheme', 'http'], [':path', '/small'],
            [':authority', 'localhost'],
            map { [/^(\S+): (.*)/] } split(/\n/, $headers));
    };

    my $one = signed_headers($secret, $body, id => 'm1');
    my $two = signed_headers($secret, $body, id => 'm2');
    syswrite($socket, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
             . $frame->(4, 0, 0, '')
             . $frame->(1, 4, 1, $head->($one))
             . $frame->(0, 0, 1, substr($body, 0, 1500))
             . $frame->(1, 4, 3, $head->($two))
             . $frame->(0, 0, 3, substr($body, 0, 10))
             . $frame->(3, 0, 1, pack('N', 8))          # RST_STREAM
             . $frame->(0, 1, 3, substr($body, 10)));

    my $bytes = '';
    my $until = time + 5;
    while ($bytes !~ /"result":"accepted"/ && time < $until) {
        IO::Select->new($socket)->can_read(0.1) or next;
        sysread($socket, $bytes, 65536, length $bytes) or last;
    }
    like($bytes, qr/"result":"accepted"/,
         'a stream is answered though another one was reset in its body');
    close($socket);

    is(outcome(h2('POST', '/webhook', $one, $body)), '200 accepted',
       'what was reset was not taken, nor remembered');
}


ok($nginx->wait_idle, 'no connection is left');
my @files = glob($nginx->prefix . '/temp/*/*');
is_deeply(\@files, [], 'no temporary file is left');
my $log = $nginx->error_log(all => 1);
no_bad_log($nginx);
unlike($log, qr/\[warn\]/, 'no warning');
my $key = $secret =~ s/^whsec_//r;
unlike($log, qr/\Q$key\E/, 'no secret in the log');
ok($nginx->stop, 'nginx stops');

done_testing();
