# Prefer: wait on a push: the answer of the API is held until the webhook says
# how it ended.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Track;
use CodatTest::Waiters;
use IO::Select ();
use Test::More;
use Time::HiRes qw(time sleep);

my $nginx_v = `@{[$ENV{TEST_NGINX_BINARY} || 'nginx']} -V 2>&1`;
my $http2 = $nginx_v =~ m{nginx/1\.(\d+)\.(\d+).*--with-http_v2_module}s
    && ($1 < 25 || ($1 == 25 && $2 < 1)) && `nghttp --version 2>&1`;

my $proxy = 'proxy_http_version 1.1; proxy_set_header Connection "";';

my $t = CodatTest::Track->new(
    workers => 2, worker_connections => 1024,
    listen => ['127.0.0.1:{{port}} reuseport',
               $http2 ? '127.0.0.1:{{port2}} http2' : ()],
    server => <<"EOC");
        location /unbuffered/ { codat_track zone=codat; proxy_buffering off;
                                proxy_pass http://api/; $proxy }
        location /short/      { codat_track zone=codat; codat_wait 1s;
                                proxy_pass http://api/; $proxy }
        location /none/       { codat_track zone=codat; codat_wait 0;
                                proxy_pass http://api/; $proxy }
        location /stream/     { codat_track zone=codat;
                                proxy_request_buffering off;
                                proxy_pass http://api/; $proxy }
        location /ranges/     { codat_track zone=codat; proxy_force_ranges on;
                                proxy_pass http://api/; $proxy }
EOC

my ($nginx, $api) = ($t->nginx, $t->api);
my $waiters = CodatTest::Waiters->new($nginx);


sub applied { return $_[0]->header('preference-applied') // 'none' }

sub waiting { return $nginx->request('GET', '/codat/')->json->{waiters} }


# hold($mock, $headers, $location): one that is held, and its key

my $n = 0;

sub hold {
    my ($mock, $headers, $location) = @_;

    my $key = 'held-' . ++$n;
    my $client = $nginx->client(timeout => 20);
    $client->send($client->build('POST', ($location // '/api') . $t->path,
        { 'X-Mock' => "key=$key; " . ($mock // ''), Prefer => 'wait=20',
          %{$headers // {}} }, '{"a":1}'));
    $nginx->_wait_until(sub { $t->row($key) }, 5)
        or die "$key is not registered\n";

    return ($client, $key);
}


sub silent { return !IO::Select->new($_[0]->socket)->can_read($_[1] // 0.3) }


subtest 'a push is held until it is final' => sub {
    for my $final (qw(Success Failed TimedOut)) {
        my $answer = $t->push("after=0.4; final=$final", Prefer => 'wait=20',
                              'X-Codat-Reference' => "ref $final");

        is($answer->status, 200, "$final: the status of the answer");
        cmp_ok($answer->{took}, '>', 0.35, 'not before');
        cmp_ok($answer->{took}, '<', 5, 'and soon after');
        is(applied($answer), 'wait=20', 'Preference-Applied');

        my $op = $answer->{op};
        is($op->{status}, $final, 'the final status');
        is($op->{companyId}, $t->{company}, 'in the same object');
        is($t->row($answer->{key})->{status}, $final, 'so is the row');
        is($t->row($answer->{key})->{reference}, "ref $final", 'reference');

        my $row = $t->row($answer->{key});
        is($op->{completedOnUtc}, $row->{completedOn}, 'when');

        if ($final eq 'Success') {
            ok($op->{recordId}, 'with the id of the record');
            is($op->{recordId}, $row->{recordId}, 'as the table has it');
            is($op->{data}{id}, $op->{recordId}, 'in the data');
            is($op->{data}{invoiceNumber}, 'A-1', 'beside what was there');
            is_deeply($op->{changes}, [{ type => 'Created', recordRef =>
                { id => $op->{recordId}, dataType => 'invoices' } }],
                'and in the changes');
            is($op->{statusCode}, 200, 'statusCode');

        } else {
            is($op->{recordId}, undef, 'no record');
            is_deeply($op->{changes}, [], 'no changes');
        }
    }
};


subtest 'an error that the webhook tells' => sub {
    my ($client, $key) = hold();
    my $body = body('PushOperationStatusChanged', generation => 'legacy',
                    push_key => $key, status => 'Failed');
    $body =~ s/"status":"Failed"/"status":"Failed","errorMessage":"no \\"x\\""/;
    $nginx->request('POST', '/hook',
        signed_headers($t->{secret}, $body)
        . "Content-Type: application/json\n", $body);

    my $op = $client->read_response->json;
    is($op->{status}, 'Failed', 'failed');
    is($op->{errorMessage}, $t->row($key)->{errorMessage}, 'and why');
};


subtest 'a failed attachment has changed nothing of its record' => sub {
    my ($client, $key) = hold();
    my $body = body('invoices.write.unsuccessful', push_key => $key,
                    attachment_id => 'att-1', record_id => 'rec-1');
    $nginx->request('POST', '/hook',
        signed_headers($t->{secret}, $body)
        . "Content-Type: application/json\n", $body);

    my $op = $client->read_response->json;
    is($op->{status}, 'Failed', 'failed');
    is($t->row($key)->{recordId}, 'rec-1', 'the table has the record');
    is_deeply($op->{changes}, [], 'no changes');
    is($op->{data}{id}, undef, 'no id in the data');
    is($op->{recordId}, undef, 'no record');
};


subtest 'what stands around it stays as it is' => sub {
    for my $mock ('', 'pretty=1', 'chunked=9', 'pad=200000') {
        for my $location (qw(/api /unbuffered)) {
            my ($client, $key) = hold($mock, {}, $location);
            ok(silent($client, 0.1), "$location, $mock: held");
            $api->finish($key);
            my $text = $client->read_response->body;

            my $row = $t->row($key);
            my ($comma, $colon) = $mock eq 'pretty=1' ? (" ,\n  ", ' : ')
                : (',', ':');
            ok($text =~ s/,"completedOnUtc":"[^"]*","recordId":"([^"]*)"(?=\s*\}\s*\z)//,
               'added at the end');
            is($1, $row->{recordId}, 'the record');
            ok($text =~ s/("data"$colon\{)"id":"$row->{recordId}",/$1/,
               'at the beginning of data');
            ok($text =~ s/"changes"$colon\[\{[^]]*\]/"changes"$colon\[\]/,
               'the changes');
            ok($text =~ s/"status"${colon}"Success"/"status"${colon}"Pending"/,
               'the status');
            ok($text =~ s/"statusCode"${colon}200/"statusCode"${colon}202/,
               'statusCode');

            # a poll of the API has the same, but for what the API knows more
            my $length = length $text;
            my $pad = 'x' x ($mock =~ /pad=(\d+)/ ? $1 : 0);
            $pad = "\"memo\":\"$pad\"," if length $pad;
            my $expected = join($comma, qq("changes"$colon\[]),
                qq("data"$colon\{$pad"a":1}), qq("dataType"$colon"invoices"),
                qq("companyId"$colon"$t->{company}"),
                qq("pushOperationKey"$colon"$key"),
                qq("dataConnectionKey"$colon"$t->{connection}"),
                qq("requestedOnUtc"$colon"TIME"), qq("status"$colon"Pending"),
                qq("validation"$colon\{"errors":[],"warnings":[]}),
                qq("statusCode"${colon}202));
            $text =~ s/("requestedOnUtc" ?: ?)"[^"]*"/$1"TIME"/;
            ok($text eq ($mock eq 'pretty=1' ? "{\n  $expected\n}\n"
                                             : "{$expected}"),
               'and nothing else') or diag(substr($text, 0, 800));
        }
    }
};


subtest 'the time is up' => sub {
    my $answer = $t->push('pretty=1', Prefer => 'wait=1');
    cmp_ok($answer->{took}, '>', 0.9, 'not before');
    cmp_ok($answer->{took}, '<', 3, 'and soon after');
    is($answer->{op}{status}, 'Pending', 'pending');
    is(applied($answer), 'wait=1', 'Preference-Applied');
    like($answer->body, qr/\A\{\n  "changes" : \[\] ,\n.*"statusCode" : 202\n\}\n\z/s,
         'the answer as it was');
    is($answer->header('content-length'), length $answer->body, 'its length');

    $answer = $t->push('chunked=10', Prefer => 'wait=1');
    is($answer->header('transfer-encoding'), 'chunked', 'or none');

    $answer = $t->call('POST', '/short' . $t->path, '', Prefer => 'wait=30',
                       body => '{}');
    cmp_ok($answer->{took}, '<', 3, 'codat_wait is the longest');
    is(applied($answer), 'wait=1', 'and told');

    $answer = $t->call('POST', '/none' . $t->path, '', Prefer => 'wait=30',
                       body => '{}');
    cmp_ok($answer->{took}, '<', 0.5, 'codat_wait 0: at once');
    is(applied($answer), 'none', 'nothing is said');

    $answer = $t->push('', Prefer => 'wait=0');
    cmp_ok($answer->{took}, '<', 0.5, 'wait=0: at once');
    is(applied($answer), 'wait=0', 'which was applied');

    $answer = $t->push('delay=1.2', Prefer => 'wait=1');
    cmp_ok($answer->{took}, '<', 2, 'the time begins with the request');
    is($answer->{op}{status}, 'Pending', 'pending');
};


subtest 'what needs no waiting' => sub {
    my $answer = $t->push('after=-0.05', Prefer => 'wait=20');
    cmp_ok($answer->{took}, '<', 2, 'the webhook came first');
    is($answer->{op}{status}, 'Success', 'the answer has what it said');
    is($answer->{op}{statusCode}, 200, 'all of it');
    is(applied($answer), 'wait=20', 'Preference-Applied');

    $answer = $t->push('after=now; final=Failed', Prefer => 'wait=20');
    cmp_ok($answer->{took}, '<', 2, 'the API knows it at once');
    is($answer->{op}{status}, 'Failed', 'it failed');
    is($answer->{op}{validation}{errors}[0]{itemId}, 'amount',
       'with all that the API says');
    is($answer->{op}{statusCode}, 400, 'as it was');
    is(applied($answer), 'wait=20', 'Preference-Applied');

    for my $mock ('status=400', 'status=429', 'status=500',
                  'text={"a":1}', 'text=[]', 'text={"a":', 'text=',
                  'text=x; type=text/plain')
    {
        $answer = $t->push($mock, Prefer => 'wait=20');
        cmp_ok($answer->{took}, '<', 2, "$mock: at once");
        is(applied($answer), 'none', 'nothing is added');
        is($answer->body, $1, 'the body') if $mock =~ /text=([^;]*)/;
        is($answer->header('content-length'), length $answer->body,
           'its length');
    }

    $answer = $t->call('GET', '/api/companies', '', Prefer => 'wait=20');
    is(applied($answer), 'none', 'a GET of something else');

    $answer = $t->push('pad=1200000', Prefer => 'wait=20');
    cmp_ok($answer->{took}, '<', 5, 'a megabyte is too much');
    cmp_ok(length $answer->body, '>', 1200000, 'it is sent as it is');
    is(applied($answer), 'none', 'nothing is said');
    is($t->row($answer->{key})->{status}, 'Pending', 'but it is registered');

    $answer = $t->push('pad=1200000; chunked=9000', Prefer => 'wait=20');
    cmp_ok($answer->{took}, '<', 5, 'in chunks');
    cmp_ok(length $answer->body, '>', 1200000, 'all of it');
    is($t->row($answer->{key})->{status}, 'Pending', 'registered');

    $answer = $t->push('gzip=2', Prefer => 'wait=20',
                       'Accept-Encoding' => 'gzip');
    cmp_ok($answer->{took}, '<', 2, 'compressed though nobody asked');
    is($answer->header('content-encoding'), 'gzip', 'is not held');

    $api->reset;
    $t->push('after=now', Prefer => 'wait=1', 'Accept-Encoding' => 'gzip');
    my ($request) = $api->requests;
    is($request->header('accept-encoding'), undef, 'nobody asks');
    is($request->header('prefer'), undef, 'nor tells to wait');
};


subtest 'an answer that breaks off' => sub {
    for my $location (qw(api unbuffered)) {
        $nginx->mark;
        my $client = $nginx->client;
        $client->send($client->build('POST', "/$location" . $t->path,
            { 'X-Mock' => 'cut=100', Prefer => 'wait=20' }, '{"a":1}'));
        my $response = $client->read_response(timeout => 3);
        ok(!$response, "$location: is no answer");
        like($client->{buffer}, qr/^\{"changes":\[\],"data"/,
             'what came is passed on');
        like($nginx->error_log, qr/upstream prematurely closed/, 'logged');
    }
};


subtest 'connections while an answer is held' => sub {
    $api->reset;
    my ($client, $key) = hold();
    my @others = map { $t->push('') } 1 .. 3;
    my %used = map { $_->{connection} => 1 } $api->requests;
    cmp_ok(scalar keys %used, '<=', 2, 'the one to the API is free');

    ok(silent($client), 'held');
    $api->finish($key);
    is($client->read_response->json->{status}, 'Success', 'answered');

    my $answer = $t->push('after=0.1', client => $client,
                          Prefer => 'wait=20');
    is($answer->{op}{status}, 'Success', 'the next one on the connection');
    $answer = $t->call('GET', '/api/companies', '', client => $client);
    is($answer->status, 200, 'and one of another kind');
    $client->close;

    $client = $nginx->client;
    $client->send(join('', map { $client->build('POST', '/api' . $t->path,
        { 'X-Mock' => "after=0.2; key=pipe-$_", Prefer => 'wait=20' }, '{}') }
        1 .. 3));
    for my $i (1 .. 3) {
        my $op = $client->read_response(timeout => 5)->json;
        is("$op->{pushOperationKey} $op->{status}", "pipe-$i Success",
           "pipelined: $i");
    }
    $client->close;
};


subtest 'a client that leaves' => sub {
    for my $how (qw(close abort)) {
        my ($client, $key) = hold();
        ok(silent($client, 0.2), "$how: held");
        $nginx->mark;
        $client->$how;
        ok($nginx->wait_idle(5), 'no connection is left');
        is(waiting(), 0, 'nobody waits');
        ok($api->finish($key), 'the webhook comes');
        ok($t->became($key, 'Success'), 'and is remembered');
    }

    # one that is gone before its answer is held
    my $client = $nginx->client;
    $client->send($client->build('POST', '/api' . $t->path,
        { 'X-Mock' => 'delay=0.1', Prefer => 'wait=20' }, '{}'));
    $client->close;
    ok($nginx->wait_idle(5), 'at once: no connection is left');
    is(waiting(), 0, 'nobody waits');
};


subtest 'a push that is forgotten' => sub {
    my ($client, $key) = hold('', { Prefer => 'wait=2' });
    is($nginx->request('DELETE', "/codat/pushes/$key")->status, 204, 'gone');
    my $response = $client->read_response(timeout => 10);
    is($response->json->{status}, 'Pending', 'the answer as it was');
};


subtest 'bodies of requests' => sub {
    my $answer = $t->call('POST', '/stream' . $t->path, 'after=0.3',
        body => '{"a":"' . 'x' x 300000 . '"}', Prefer => 'wait=20',
        chunked => 5000);
    is($answer->{op}{status} // $answer->body =~ /"status":"Success"/
       && 'Success', 'Success', 'sent while it is read');

    $answer = $t->call('DELETE', '/api' . $t->path('bills/b1'), 'after=0.2',
                       Prefer => 'wait=20');
    is($answer->{op}{status}, 'Success', 'none');

    $answer = $t->call('POST', '/ranges' . $t->path, 'after=0.2',
        body => '{}', Prefer => 'wait=20', Range => 'bytes=0-9');
    is($answer->status, 200, 'a part of what is held can not be had');
    is($answer->{op}{status}, 'Success', 'all of it');
};


SKIP: {
    skip('no HTTP/2 here', 1) unless $http2;

    subtest 'HTTP/2' => sub {
        my $url = 'http://127.0.0.1:' . $nginx->port(2) . '/api' . $t->path;
        my $file = $nginx->file('body', '{"a":1}', 0644);

        my $start = time;
        my $text = `nghttp -d $file -H 'x-mock: after=0.5' -H 'prefer: wait=20' $url`;
        cmp_ok(time - $start, '>', 0.4, 'held');
        like($text, qr/"status":"Success"/, 'and completed');

        $text = `nghttp -d $file -H 'prefer: wait=1' $url`;
        like($text, qr/"status":"Pending"/, 'or as it was');

        $text = `nghttp -m 20 -d $file -H 'x-mock: after=0.3' -H 'prefer: wait=20' $url`;
        is(scalar(my @all = $text =~ /"status":"Success"/g), 20,
           'many on one connection');

        my $pid = fork() // die "fork: $!\n";
        if (!$pid) {
            open(STDOUT, '>', '/dev/null');
            exec('nghttp', '-d', $file, '-H', 'prefer: wait=20',
                 '-H', 'x-mock: key=h2-left', $url);
        }
        ok($t->became('h2-left', 'Pending'), 'one that is held');
        sleep(0.2);
        kill('KILL', $pid);
        waitpid($pid, 0);
        ok($nginx->wait_idle(5), 'leaves: no connection is left');
        is(waiting(), 0, 'nobody waits');
    };
}


subtest 'many at once' => sub {
    my @clients = map { my $client = $nginx->client(timeout => 20);
        $client->send($client->build('POST', '/api' . $t->path,
            { 'X-Mock' => "key=many-$_", Prefer => 'wait=20' }, '{}'));
        $client } 1 .. 200;
    ok($nginx->_wait_until(sub { waiting() == 200 }, 15), 'all are held');

    $api->finish("many-$_", $_ % 2 ? 'Failed' : 'Success') for 1 .. 200;

    my $good = 0;
    for my $i (1 .. 200) {
        my $response = $clients[$i - 1]->read_response(timeout => 10);
        my $op = $response ? $response->json : {};
        $good++ if ($op->{pushOperationKey} // '') eq "many-$i"
            && $op->{status} eq ($i % 2 ? 'Failed' : 'Success');
    }
    is($good, 200, 'each is answered with what became of its own');
    is(waiting(), 0, 'nobody waits');
    $_->close for @clients;
};


subtest 'a reload while an answer is held' => sub {
    my ($client, $key) = hold();
    ok(silent($client, 0.2), 'held');
    ok($nginx->reload, 'reloaded');
    my $response = $client->read_response(timeout => 10);
    is($response->json->{status}, 'Pending', 'the answer as it was');
    is(applied($response), 'wait=20', 'Preference-Applied');
    $client->close;

    my $answer = $t->push('after=0.2', Prefer => 'wait=20');
    is($answer->{op}{status}, 'Success', 'new workers hold');
};


cmp_ok($t->counted('held'), '>', 200, 'counted: held');
cmp_ok($t->counted('completed'), '>', 200, 'counted: completed');

$t->done;
