# codat_reconcile: pushes whose webhook is overdue are asked for.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Track;
use Test::More;
use Time::HiRes qw(time sleep);

my $t = CodatTest::Track->new(
    workers => 2,
    listen => ['127.0.0.1:{{port}} reuseport'],
    track => 'reconcile=1s refresh=0',
    location => 'codat_reconcile @ask rate=5;',
    server => <<'EOC');
        location @ask {
            proxy_pass        http://api;
            proxy_set_header  Authorization "Basic operator";
        }
EOC

my ($nginx, $api) = ($t->nginx, $t->api);


# the questions that have come to the API, by key

sub asked {
    my %n;
    $n{$_}++ for map { $_->{method} eq 'GET'
        && $_->{uri} =~ m{^/companies/[^/]+/push/([^/]+)$} ? $1 : () }
        $api->requests;

    return \%n;
}


subtest 'a webhook that is lost' => sub {
    my $answer = $t->push('silent=1;after=0.1;record=r-1',
                          'X-Codat-Reference' => 'expense-1');
    is($answer->{op}{status}, 'Pending', 'the push begins');
    ok($t->became($answer->{key}, 'Success', 10), 'and succeeds');

    my $row = $t->row($answer->{key});
    is($row->{recordId}, 'r-1', 'with its record');
    is($row->{reference}, 'expense-1', 'and its reference');

    my ($question) = grep { $_->{method} eq 'GET' } $api->requests;
    is($question->{uri}, "/companies/$t->{company}/push/$answer->{key}",
       'Codat was asked for it');
    is($question->header('authorization'), 'Basic operator',
       "with the operator's credentials");

    my $n = asked()->{$answer->{key}};
    sleep(2.5);
    is(asked()->{$answer->{key}}, $n, 'and no more, since it is final');

    is($t->counted('healed'), 1, 'counted');
    like($nginx->error_log, qr/notice.*a push is final whose webhook has/,
         'logged');
};


subtest 'somebody waits for it' => sub {
    my $answer = $t->push('silent=1;after=0.1', Prefer => 'wait=20');
    is($answer->{op}{status}, 'Success', 'and is answered');
    cmp_ok($answer->{took}, '<', 10, 'as soon as it is known');

    my $key = $t->push('silent=1;after=0.1;final=Failed')->{key};
    my $response = $nginx->request('GET', "/codat/pushes/$key?wait=20");
    is($response->json->{status}, 'Failed', 'the status API as well');
    is($response->json->{errorMessage}, 'The record was refused',
       'with the reason, which a webhook has not');

    my $first = $t->push('silent=1;after=0.1')->{key};
    is($t->push('after=now', 'X-Codat-After' => $first)->status, 200,
       'and what depends on it goes on');
};


subtest 'a push that is still pending' => sub {
    my $key = $t->push('')->{key};
    my $start = time;
    $t->{nginx}->_wait_until(sub { (asked()->{$key} // 0) >= 3 }, 20);
    my $took = time - $start;
    my $n = asked()->{$key} // 0;

    cmp_ok($n, '>=', 3, 'is asked for again and again');
    cmp_ok($n, '<=', $took + 1, 'once in an interval');
    is($t->row($key)->{status}, 'Pending', 'and stays as it is');
    $api->finish($key);
    ok($t->became($key, 'Success'), 'until its webhook comes');
};


subtest 'many' => sub {
    my $healed = $t->counted('healed');
    $api->reset;
    my @keys = map { $t->push('silent=1;after=0.01')->{key} } 1 .. 30;

    ok($nginx->_wait_until(sub { $t->counted('healed') - $healed == 30 }, 30),
       'all are settled');

    my @questions = grep { $_->{method} eq 'GET' } $api->requests;
    is(scalar @questions, 30, 'each was asked for once, by two workers');

    my %second;
    $second{int $_->{time}}++ for @questions;
    my ($most) = sort { $b <=> $a } values %second;
    cmp_ok($most, '<=', 10, 'not all of them at once');
    cmp_ok(scalar keys %second, '>=', 5, 'but 5 in a second');

    my %place = map { $keys[$_] => $_ } 0 .. $#keys;
    my @order = map { m{([^/]+)$} ? $place{$1} : () }
        map { $_->{uri} } @questions;
    cmp_ok($order[0], '<', 12, 'the oldest first');
    cmp_ok($order[-1], '>', 17, 'the newest last');
};


subtest 'an API that fails' => sub {
    my $unanswered = $t->counted('unanswered');
    my $key = $t->push('silent=1;after=0.01')->{key};
    $api->set(status => 503);
    ok($nginx->_wait_until(sub { $t->counted('unanswered') > $unanswered },
                           15), 'counted');
    is($t->row($key)->{status}, 'Pending', 'the push is pending');
    like($nginx->error_log, qr/warn.*has answered with status 503/, 'logged');

    $api->set(status => 0);
    ok($t->became($key, 'Success', 15), 'it is asked for again');

    $unanswered = $t->counted('unanswered');
    is($nginx->request('PUT', '/codat/pushes/4f1c8a60-1111-4000-8000-'
        . '000000000001', {}, qq({"companyId":"$t->{company}"}))->status, 201,
       'one that Codat does not know');
    ok($nginx->_wait_until(sub { $t->counted('unanswered') > $unanswered },
                           15), 'counted');
    $nginx->request('DELETE', '/codat/pushes/4f1c8a60-1111-4000-8000-'
                    . '000000000001');
};


subtest 'what can not be asked for' => sub {
    $api->reset;
    for my $key ('a%3Fb', 'a.b') {
        is($nginx->request('PUT', "/codat/pushes/$key", {},
                           qq({"companyId":"$t->{company}"}))->status, 201,
           "a key that is no plain one");
    }
    is($nginx->request('PUT', '/codat/pushes/no-company', {}, '{}')->status,
       201, 'without a company');
    sleep(4);
    is(scalar(my @none = $api->requests), 0, 'nothing is sent');
    $nginx->request('DELETE', "/codat/pushes/$_")
        for 'a%3Fb', 'a.b', 'no-company';
};


subtest 'a reload while an answer is awaited' => sub {
    my $key = $t->push('silent=1;after=0.01')->{key};
    $api->set(delay => 2);
    $api->reset;
    ok($api->wait_requests(1, 10), 'asked');
    ok($nginx->reload, 'reloaded');
    ok($t->became($key, 'Success', 15), 'the push is settled');
    $api->set(delay => 0);
};

$t->done;
