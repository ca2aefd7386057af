# X-Codat-After: a call waits for the pushes that it depends on.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Track;
use IO::Select ();
use Test::More;
use Time::HiRes qw(time sleep);

my $nginx_v = `@{[$ENV{TEST_NGINX_BINARY} || 'nginx']} -V 2>&1`;
my $http2 = $nginx_v =~ m{nginx/1\.(\d+)\.(\d+).*--with-http_v2_module}s
    && ($1 < 25 || ($1 == 25 && $2 < 1)) && `nghttp --version 2>&1`;

my $proxy = 'proxy_http_version 1.1; proxy_set_header Connection "";';

my $t = CodatTest::Track->new(
    workers => 2,
    listen => ['127.0.0.1:{{port}} reuseport',
               $http2 ? '127.0.0.1:{{port2}} http2' : ()],
    server => <<"EOC");
        location /short/  { codat_track zone=codat; codat_wait 1s;
                            proxy_pass http://api/; $proxy }
        location /none/   { codat_track zone=codat; codat_wait 0;
                            proxy_pass http://api/; $proxy }
        location /stream/ { codat_track zone=codat;
                            proxy_request_buffering off;
                            proxy_pass http://api/; $proxy }
        location /moved/  { error_page 502 = /api\$uri;
                            codat_track zone=codat;
                            proxy_pass http://127.0.0.1:1/; }
EOC

my ($nginx, $api) = ($t->nginx, $t->api);


sub waiting { return $nginx->request('GET', '/codat/')->json->{waiters} }

sub silent { return !IO::Select->new($_[0]->socket)->can_read($_[1] // 0.3) }


# after($keys, %opt): a push that is under way; location => '/api'

sub after {
    my ($keys, %opt) = @_;

    my $location = delete $opt{location} // '/api';
    my $body = delete $opt{body} // '{"after":1}';
    my $client = $nginx->client(timeout => 20);
    $client->send($client->build('POST', $location . $t->path,
        { 'X-Codat-After' => $keys, %opt }, $body));

    return $client;
}


subtest 'one push' => sub {
    my $key = $t->push('')->{key};
    $api->reset;

    my $client = after($key, 'X-Codat-Reference' => 'second');
    ok(silent($client), 'it waits');
    is(scalar(my @none = $api->requests), 0, 'the API does not know of it');
    is(waiting(), 1, 'one waits');

    my $start = time;
    $api->finish($key);
    my $response = $client->read_response;
    cmp_ok(time - $start, '<', 2, 'it goes on when the first has succeeded');
    is($response->status, 200, 'answered');
    my $row = $t->row($response->json->{pushOperationKey});
    is($row->{reference}, 'second', 'registered');

    my ($request) = $api->requests;
    is($request->{body}, '{"after":1}', 'the body is passed on');
    is($request->header('x-codat-after'), undef, 'but not the header');

    my $answer = $t->push('', 'X-Codat-After' => $key);
    cmp_ok($answer->{took}, '<', 2, 'it succeeded already: at once');
    is($answer->status, 200, 'answered');
    is(waiting(), 0, 'nobody waits');
};


subtest 'a push that fails' => sub {
    for my $final (qw(Failed TimedOut)) {
        my $key = $t->push('')->{key};
        $api->reset;
        my $client = after($key);
        ok(silent($client, 0.2), 'it waits');
        $api->finish($key, $final);

        my $response = $client->read_response;
        is($response->status, 424, "$final: refused");
        is($response->json->{code}, 'dependency_failed', 'code');
        like($response->json->{detail}, qr/\Q$key\E.*$final/, 'it is named');
        like($response->header('content-type'), qr/problem\+json/, 'problem');
        is(scalar(my @none = $api->requests), 0, 'nothing was pushed');

        my $answer = $t->push('', 'X-Codat-After' => $key);
        is($answer->status, 424, 'at once, if it failed already');

        is($t->call('GET', '/api/companies', '', client => $client)->status,
           200, 'the connection goes on');
        $client->close;
    }
};


subtest 'several' => sub {
    my @keys = map { $t->push('')->{key} } 1 .. 16;

    my $client = after(CORE::join(', ', @keys));
    for my $i (0 .. $#keys) {
        ok(silent($client, 0.02), "waits for $i") if $i % 5 == 0;
        $api->finish($keys[$i]);
    }
    is($client->read_response->status, 200, 'all succeeded');

    @keys = map { $t->push('')->{key} } 1 .. 3;
    $client = after(",$keys[0],,$keys[1] ,\t$keys[2],");
    $api->finish($keys[2]);
    ok(silent($client, 0.2), 'in any order');
    $api->finish($keys[1], 'Failed');
    my $response = $client->read_response;
    is($response->status, 424, 'one failure is enough');
    like($response->json->{detail}, qr/\Q$keys[1]\E/, 'and named');

    my $answer = $t->push('', 'X-Codat-After' => [$keys[2], $keys[1]]);
    is($answer->status, 424, 'in several headers');
};


subtest 'keys that nobody knows' => sub {
    my $client = after('on-its-way');
    ok(silent($client, 0.2), 'it waits for one that may be on its way');
    my $key = $t->push('key=on-its-way')->{key};
    ok(silent($client, 0.2), 'it is known, and pending');
    $api->finish($key);
    is($client->read_response->status, 200, 'and has succeeded');
};


subtest 'the time is up' => sub {
    for my $case (['/short', undef, 1], ['/short', 30, 1], ['/api', 1, 1],
                  ['/none', undef, 0])
    {
        my ($location, $wait, $seconds) = @$case;
        my $key = uuid();
        my $answer = $t->call('POST', $location . $t->path, '', body => '{}',
            'X-Codat-After' => $key, $wait ? (Prefer => "wait=$wait") : ());

        my $name = "$location, " . ($wait // 'no') . ' wait';
        is($answer->status, 504, $name);
        is($answer->json->{code}, 'dependency_timeout', 'code');
        like($answer->json->{detail}, qr/\Q$key\E/, 'it is named');
        cmp_ok($answer->{took}, '>', $seconds - 0.1, 'not before');
        cmp_ok($answer->{took}, '<', $seconds + 2, 'and soon after');
    }
};


subtest 'lists that are none' => sub {
    $api->reset;
    for my $value (CORE::join(',', map { "k$_" } 1 .. 17), 'x' x 257) {
        my $answer = $t->push('', 'X-Codat-After' => $value);
        is($answer->status, 400, length($value) . ' bytes: refused');
        is($answer->json->{code}, 'invalid_after', 'code');
    }
    is(scalar(my @none = $api->requests), 0, 'nothing was pushed');

    my $answer = $t->push('', 'X-Codat-After' => ' , ');
    is($answer->status, 200, 'an empty one says nothing');
};


subtest 'and wait' => sub {
    my $key = $t->push('')->{key};
    my $client = after($key, Prefer => 'wait=10', 'X-Mock' => 'after=0.3');
    ok(silent($client, 0.2), 'waits for the first');
    my $start = time;
    $api->finish($key);
    my $op = $client->read_response->json;
    cmp_ok(time - $start, '>', 0.25, 'and then for itself');
    is($op->{status}, 'Success', 'which has succeeded');
};


subtest 'other calls' => sub {
    my $key = $t->push('')->{key};
    my $client = $nginx->client(timeout => 10);
    $client->send($client->build('GET', '/api/companies',
                                 { 'X-Codat-After' => $key }));
    ok(silent($client, 0.2), 'a GET waits as well');
    $api->finish($key);
    is($client->read_response->status, 200, 'and goes on');

    $key = $t->push('')->{key};
    my $big = '{"a":"' . 'x' x 400000 . '"}';
    for my $location (qw(/api /stream)) {
        $key = $t->push('')->{key};
        $api->reset;
        my $pid = fork() // die "fork: $!\n";
        if (!$pid) { sleep(0.4); $api->finish($key); POSIX::_exit(0); }
        my $answer = $t->call('POST', $location . $t->path, '',
            body => $big, 'X-Codat-After' => $key, chunked => 9000);
        waitpid($pid, 0);
        cmp_ok($answer->{took}, '>', 0.3, "$location: a large body waits");
        my ($request) = $api->requests;
        ok($request->{body} eq $big, 'and is passed on');
    }

    $key = $t->push('')->{key};
    $api->finish($key);
    ok($t->became($key, 'Success'), 'done');
    my $answer = $t->call('POST', '/moved' . $t->path, '', body => '{}',
                          'X-Codat-After' => $key);
    is($answer->status, 404, 'redirected: asked once, then as the API says');
};


subtest 'a client that leaves' => sub {
    for my $how (qw(close abort)) {
        my $key = $t->push('')->{key};
        $api->reset;
        my $client = after($key, body => '{"a":"' . 'x' x 100000 . '"}');
        ok(silent($client, 0.2), "$how: it waits");
        $client->$how;
        ok($nginx->wait_idle(5), 'no connection is left');
        is(waiting(), 0, 'nobody waits');
        $api->finish($key);
        ok($t->became($key, 'Success'), 'the first succeeds');
        is(scalar(my @none = $api->requests), 0, 'the second is not pushed');
    }
};


SKIP: {
    skip('no HTTP/2 here', 1) unless $http2;

    subtest 'HTTP/2' => sub {
        my $url = 'http://127.0.0.1:' . $nginx->port(2) . '/api' . $t->path;
        my $file = $nginx->file('body', '{"a":1}', 0644);

        my $key = $t->push('after=0.5')->{key};
        my $start = time;
        my $text = `nghttp -d $file -H 'x-codat-after: $key' $url`;
        cmp_ok(time - $start, '>', 0.35, 'it waits');
        like($text, qr/"status":"Pending"/, 'and goes on');

        $key = $t->push('after=0.3; final=Failed')->{key};
        $text = `nghttp -d $file -H 'x-codat-after: $key' $url`;
        like($text, qr/"code":"dependency_failed"/, 'or fails');

        $key = $t->push('')->{key};
        my $pid = fork() // die "fork: $!\n";
        if (!$pid) {
            open(STDOUT, '>', '/dev/null');
            exec('nghttp', '-d', $file, '-H', "x-codat-after: $key", $url);
        }
        ok($nginx->_wait_until(sub { waiting() == 1 }, 5), 'one that waits');
        kill('KILL', $pid);
        waitpid($pid, 0);
        ok($nginx->wait_idle(5), 'leaves: no connection is left');
        is(waiting(), 0, 'nobody waits');
    };
}


subtest 'a reload' => sub {
    my $key = $t->push('')->{key};
    my $client = after($key);
    my $failing = $t->push('')->{key};
    my $other = after($failing);
    ok(silent($client, 0.2), 'it waits');
    ok($nginx->reload, 'reloaded');
    ok(silent($client, 0.3), 'it waits on, in the old worker');
    $api->finish($key);
    is($client->read_response->status, 200, 'and goes on');
    $api->finish($failing, 'Failed');
    is($other->read_response->status, 424, 'the other one fails');
    $_->close for $client, $other;
};


cmp_ok($t->counted('delayed'), '>', 5, 'counted: delayed');
cmp_ok($t->counted('dependency_failed'), '>', 3, 'failed');
cmp_ok($t->counted('dependency_timeout'), '>', 3, 'not in time');
cmp_ok($t->counted('invalid'), '==', 2, 'invalid');

$t->done;
