# Polls of pushes that are answered from the table, and calls that are refused
# while the quota of the API is used up.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Track;
use Test::More;
use Time::HiRes qw(time sleep);

my $proxy = 'proxy_http_version 1.1; proxy_set_header Connection "";';

my $t = CodatTest::Track->new(
    workers => 2, listen => '127.0.0.1:{{port}} reuseport',
    server => <<"EOC");
        location /fresh/ { codat_track zone=codat refresh=1s;
                           proxy_pass http://api/; $proxy }
        location /never/ { codat_track zone=codat refresh=0;
                           proxy_pass http://api/; $proxy }
        location /shed/  { codat_track zone=codat shed=on;
                           proxy_pass http://api/; $proxy }
EOC

my ($nginx, $api) = ($t->nginx, $t->api);


# poll($key, location => '/api', method => 'GET', ...): an answer; {asked} is
# how often the API was asked

sub poll {
    my ($key, %opt) = @_;

    my $location = delete $opt{location} // '/api';
    my $method = delete $opt{method} // 'GET';
    my $company = delete $opt{company} // $t->{company};

    $api->reset;
    my $answer = $t->call($method, "$location/companies/$company/push/$key",
                          delete $opt{mock}, %opt);
    $answer->{asked} = () = $api->requests;

    return $answer;
}

sub source { return $_[0]->header('x-codat-source') // 'none' }


sub event {
    my ($name, %opt) = @_;

    my $body = body($name, %opt);
    my $response = $nginx->request('POST', '/hook',
        signed_headers($t->{secret}, $body)
        . "Content-Type: application/json\n", $body);
    is($response->status, 200, "$name is accepted");
}


subtest 'a push that is pending, or has succeeded' => sub {
    my $key = $t->push('', 'X-Codat-Reference' => 'secret-17')->{key};

    my $answer = poll($key);
    is($answer->status, 200, 'answered');
    is(source($answer), 'table', 'from the table');
    is($answer->{asked}, 0, 'the API was not asked');
    like($answer->header('content-type'), qr{^application/json}, 'as JSON');
    is($answer->header('cache-control'), 'no-store', 'not to be cached');

    my $plain = $t->call('GET', "/plain/companies/$t->{company}/push/$key");
    my ($local, $remote) = ($answer->{op}, $plain->{op});
    is_deeply([sort keys %$local],
              [qw(changes companyId dataConnectionKey dataType
                  pushOperationKey requestedOnUtc status statusCode)],
              'all that Codat always says');
    for my $name (sort keys %$local) {
        next if $name eq 'requestedOnUtc';
        is_deeply($local->{$name}, $remote->{$name}, "as it does: $name");
    }
    is($local->{requestedOnUtc},
       $remote->{requestedOnUtc} =~ s/(\.\d{3})\d*Z/$1Z/r, 'requestedOnUtc');
    unlike($answer->body, qr/secret-17/, 'the reference is not in it');

    $api->finish($key);
    ok($t->became($key, 'Success'), 'the webhook');

    $answer = poll($key);
    is($answer->{asked}, 0, 'success: from the table');
    ($local, $remote) = ($answer->{op}, $t->call('GET',
        "/plain/companies/$t->{company}/push/$key")->{op});
    for my $name (qw(changes companyId dataConnectionKey dataType
                     pushOperationKey status statusCode))
    {
        is_deeply($local->{$name}, $remote->{$name}, "as Codat says: $name");
    }
    is($local->{data}{id}, $remote->{data}{id}, 'the id of the record');
    is($local->{completedOnUtc},
       $remote->{completedOnUtc} =~ s/(\.\d{3})\d*Z/$1Z/r, 'completedOnUtc');

    $answer = poll($key, method => 'HEAD');
    is($answer->status, 200, 'HEAD');
    is(source($answer), 'table', 'from the table');
    is($answer->body, '', 'without a body');

    $answer = poll($key, 'Accept-Encoding' => 'gzip', company =>
                   uc $t->{company});
    is($answer->{asked}, 0, 'ids of companies have no case');

    cmp_ok($t->counted('local'), '>', 2, 'counted');
};


subtest 'what goes through' => sub {
    my $key = $t->push('final=Failed; after=0.01')->{key};
    ok($t->became($key, 'Failed'), 'failed');
    my $answer = poll($key);
    is($answer->{asked}, 1, 'a failed push');
    is(source($answer), 'none', 'not from the table');
    is($answer->{op}{validation}{errors}[0]{itemId}, 'amount',
       'only Codat has the reasons');
    is($t->row($key)->{errorMessage}, 'The record was refused',
       'of which the table learns');

    $key = $t->push('final=TimedOut; after=0.01')->{key};
    ok($t->became($key, 'TimedOut'), 'timed out');
    is(poll($key)->{asked}, 1, 'one that timed out');

    $key = $t->push('')->{key};
    is(poll($key, company => uuid())->{asked}, 1, 'of another company');
    is(poll($key, company => uuid())->status, 404, 'as Codat answers');
    is(poll(uuid())->{asked}, 1, 'one that nobody knows');
    is(poll($key, location => '/never')->{asked}, 1, 'refresh=0');

    for my $path ("companies/$t->{company}/push/$key/x",
                  "companies/$t->{company}/push/",
                  "companies/$t->{company}/push",
                  "company/$t->{company}/push/$key",
                  "companies/$t->{company}/pull/$key",
                  "companies/a/$t->{company}/push/$key",
                  "companies//push/$key")
    {
        $api->reset;
        $t->call('GET', "/api/$path");
        is(scalar(my @all = $api->requests), 1, $path);
    }

    $api->reset;
    my $answer2 = $t->call('GET', "/api/v2/companies/$t->{company}/push/$key");
    is(source($answer2), 'table', 'but whatever is before it');

    $nginx->request('PUT', '/codat/pushes/by-hand', {},
        qq({"companyId":"$t->{company}","connectionId":"c","dataType":"bills"}));
    is(poll('by-hand')->{asked}, 1, 'one that was registered by hand');

    # a legacy webhook does not say all that Codat's API says
    event('PushOperationStatusChanged', generation => 'legacy',
          push_key => 'legacy-1', company => $t->{company},
          status => 'Success');
    is(poll('legacy-1')->{asked}, 1, 'one of which too little is known');
};


subtest 'refresh' => sub {
    my $key = $t->push('')->{key};

    is(poll($key, location => '/fresh')->{asked}, 0, 'known for sure');
    sleep(1.1);
    my $updated = $t->row($key)->{updatedOn};
    my $answer = poll($key, location => '/fresh');
    is($answer->{asked}, 1, 'a second later the API is asked');
    is($t->row($key)->{updatedOn}, $updated, 'nothing has changed');
    is(poll($key, location => '/fresh')->{asked}, 0,
       'but the answer confirms it');

    cmp_ok($t->counted('confirmed'), '>', 0, 'counted');

    $api->finish($key);
    ok($t->became($key, 'Success'), 'the webhook');
    sleep(1.1);
    is(poll($key, location => '/fresh')->{asked}, 1,
       'also if it has succeeded');
};


subtest 'the API knows more than the table' => sub {
    my $key = $t->push('silent=1')->{key};
    $api->finish($key);

    is(poll($key, location => '/never')->{op}{status}, 'Success', 'it ended');
    my $row = $t->row($key);
    is($row->{status}, 'Success', 'now the table knows it as well');
    ok($row->{recordId}, 'with the record');
    ok($row->{completedOn}, 'and when');
    is(poll($key)->{asked}, 0, 'without asking again');

    # whoever waits is told
    $key = $t->push('silent=1')->{key};
    my $client = $nginx->client(timeout => 10);
    $client->send($client->build('GET', "/codat/pushes/$key?wait=10", {}));
    sleep(0.3);
    $api->finish($key, 'Failed');
    poll($key, location => '/never');
    is($client->read_response->json->{status}, 'Failed', 'a waiter is told');

    # Pending does not undo what a webhook said
    $key = $t->push('key=old-1')->{key};
    event('invoices.write.successful', push_key => $key,
          company => $t->{company}, connection => $t->{connection});
    is(poll($key, location => '/never')->{op}{status}, 'Pending',
       'the API is behind');
    is($t->row($key)->{status}, 'Success', 'the webhook counts');
};


subtest 'polls that wait' => sub {
    my $key = $t->push('')->{key};
    my $client = $nginx->client(timeout => 10);
    my $uri = "/api/companies/$t->{company}/push/$key";
    $api->reset;
    my $start = time;
    $client->send($client->build('GET', $uri, { Prefer => 'wait=10' }));
    sleep(0.4);
    $api->finish($key);
    my $response = $client->read_response;
    cmp_ok(time - $start, '>', 0.35, 'held');
    cmp_ok(time - $start, '<', 5, 'until it is final');
    is($response->json->{status}, 'Success', 'answered');
    is($response->header('x-codat-source'), 'table', 'from the table');
    is($response->header('preference-applied'), 'wait=10', 'as was asked');

    $key = $t->push('')->{key};
    my $answer = poll($key, Prefer => 'wait=1');
    cmp_ok($answer->{took}, '>', 0.9, 'until the time is up');
    is($answer->{op}{status}, 'Pending', 'pending');
    is($answer->{asked}, 0, 'from the table');

    $key = $t->push('')->{key};
    $client->send($client->build('GET',
        "/api/companies/$t->{company}/push/$key", { Prefer => 'wait=10' }));
    sleep(0.2);
    $api->finish($key, 'Failed');
    $response = $client->read_response;
    is($response->json->{status}, 'Failed', 'a failure');
    ok($response->json->{validation}{errors}[0], 'comes from the API');

    # one that the table does not know, or not well enough
    $key = $t->push('')->{key};
    $start = time;
    $client->send($client->build('GET',
        "/never/companies/$t->{company}/push/$key", { Prefer => 'wait=10' }));
    sleep(0.4);
    $api->finish($key);
    $response = $client->read_response;
    cmp_ok(time - $start, '>', 0.35, 'the answer of the API is held');
    is($response->json->{status}, 'Success', 'until it is final');
    is($response->header('x-codat-source'), undef, 'it is not the table');

    $client->send($client->build('GET',
        "/api/companies/$t->{company}/push/" . $t->push('')->{key},
        { Prefer => 'wait=10' }));
    sleep(0.2);
    $client->close;
    ok($nginx->wait_idle(5), 'a client that leaves is forgotten');
};


subtest 'the quota is used up' => sub {
    my $key = $t->push('')->{key};

    is($t->call('GET', '/shed/companies')->status, 200, 'not yet');

    my $until = time + 30;
    my ($s, $m, $h, $day, $month, $year) = gmtime($until);
    my $expiry = sprintf('%04d-%02d-%02dT%02d:%02d:%02dZ', $year + 1900,
                         $month + 1, $day, $h, $m, $s);
    my $body = body('client.rateLimit.reached');
    $body =~ s/"expiryDate":"[^"]*"/"expiryDate":"$expiry"/
        or die "no date in $body\n";
    $nginx->request('POST', '/hook', signed_headers($t->{secret}, $body)
        . "Content-Type: application/json\n", $body);

    $api->reset;
    my $answer = $t->call('GET', '/shed/companies');
    is($answer->status, 429, 'refused');
    is($answer->json->{code}, 'rate_limited', 'with a problem');
    my $left = $until - time;
    cmp_ok(abs($answer->header('retry-after') - $left), '<', 3,
           'Retry-After: until the reset');
    is(scalar(my @all = $api->requests), 0, 'nobody was asked');

    $answer = $t->call('POST', '/shed' . $t->path, '', body => '{"a":1}');
    is($answer->status, 429, 'a push');
    is(poll($key, location => '/shed')->status, 200,
       'polls that the table can answer are answered');
    is($t->call('GET', '/api/companies')->status, 200,
       'elsewhere shed is off');
    cmp_ok($t->counted('shed'), '>=', 2, 'counted');

    event('client.rateLimit.reset');
    is($t->call('GET', '/shed/companies')->status, 200, 'after the reset');

    $api->set(limited => 1);
    $answer = $t->call('GET', '/shed/companies');
    is($answer->status, 429, "Codat's own refusal");
    is($answer->json->{statusCode}, 429, 'passes as it is');
    $api->set(limited => 0);
};


$t->done;
