# Two nginx, each with a master of its own, on one database: a webhook that
# reaches both is accepted once and delivered once, limits hold over both, and
# one goes on with what the other one has left.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Upstream;
use Test::More;
use Time::HiRes qw(time sleep);


my $app = CodatTest::Upstream->new(answer => { status => 204 });
my $conf = 'codat_credential bearer sesame; codat_forward_timeout 2s;'
    . ' codat_retry 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s;';
my $server = "location /codat/ { codat_status zone=codat; }"
    . " location /app/ { internal; proxy_pass http://@{[$app->address]}; }"
    . " location = /hook { codat_webhook zone=codat; codat_forward * /app/; }"
    . " location = /one { codat_webhook zone=codat;"
    . " codat_forward * /app/one max=1; }"
    . " location = /sync { codat_webhook zone=codat delivery=sync;"
    . " codat_forward * /app/sync; }";


sub nginx {
    my $path = shift;

    return CodatTest::Nginx->new(level => 'info', workers => 2, conf => {
        http => "codat_zone zone=codat:2m store=sqlite:$path; $conf",
        server => $server })->start;
}


my $one = nginx('{{prefix}}/codat.db');
my $path = $one->prefix . '/codat.db';
my $two = nginx($path);


sub post {
    my ($nginx, $uri, $id, $body) = @_;

    my $client = $nginx->client(timeout => 20);
    $client->send($client->build('POST', $uri,
        { Authorization => 'Bearer sesame', 'webhook-id' => $id,
          'Content-Type' => 'application/json', Connection => 'close' },
        $body));

    return $client;
}


sub sql {
    my $text = qx(sqlite3 -readonly $path "$_[0]" 2>&1);
    chomp $text;

    return $text;
}


sub settle {
    my $until = time + slow($_[0] // 15);
    my $left = -1;

    while (time < $until && $left) {
        $left = sql("SELECT count(*) FROM delivery WHERE state IN"
                    . " ('pending', 'blocked')");
        sleep(0.1) if $left;
    }

    return is($left, 0, 'all deliveries are over');
}


my $success = body('items.write.successful', push_key => uuid());

subtest 'one webhook that both get at once' => sub {
    my (%results, @posts);

    for my $n (1 .. 60) {
        push @posts, map { post($_, '/hook', "msg_$n", $success) } $one, $two;
        $results{$_->read_response->json->{result} // 'refused'}++
            for splice(@posts, 0, @posts > 16 ? 2 : 0);
    }
    $results{$_->read_response->json->{result} // 'refused'}++ for @posts;

    is($results{queued}, 60, 'each is queued once');
    is($results{duplicate}, 60, 'and a duplicate once')
        or diag(explain(\%results));

    settle();
    my %came;
    $came{scalar $_->header('webhook-id')}++ for $app->requests;
    is(scalar keys %came, 60, 'all are delivered');
    is(scalar $app->requests, 60, 'and each once');
};


subtest 'max= is of both together' => sub {
    $app->reset;
    $app->answer(status => 204, delay => 0.2);
    my @posts = map { (post($one, '/one', "msg_a$_", $success),
                       post($two, '/one', "msg_b$_", $success)) } 1 .. 6;
    is(join(' ', map { $_->read_response->status } @posts),
       join(' ', (202) x 12), 'all are queued');
    settle(30);

    my @times = sort { $a <=> $b } map { $_->{time} } $app->requests;
    is(scalar @times, 12, 'all are delivered, each once');
    is(scalar(grep { $times[$_] - $times[$_ - 1] < 0.19 } 1 .. $#times), 0,
       'one after the other');
    $app->answer(status => 204);
};


subtest 'one that the other one works on' => sub {
    $app->reset;
    $app->answer(status => 200, delay => 1);
    my $client = post($one, '/sync', 'msg_sync', $success);
    $app->wait_requests(1);

    my $response = post($two, '/sync', 'msg_sync', $success)->read_response;
    is($response->status, 503, 'is refused');
    is($response->json->{code}, 'in_progress', 'since it is in progress');
    is($response->header('Retry-After'), 5, 'for the time being');

    is($client->read_response->json->{result}, 'accepted', 'it ends well');
    $app->answer(status => 204);

    # its end is written behind its answer
    my $until = time + slow(5);
    my $result = '';
    while (time < $until && $result ne 'duplicate') {
        $result = post($two, '/sync', 'msg_sync', $success)->read_response
            ->json->{result} // '';
        sleep(0.05);
    }
    is($result, 'duplicate', 'and is a duplicate then');
    is(scalar(my @n = $app->requests), 1, 'it was forwarded once');
};


subtest 'one dies with all its processes' => sub {
    $app->reset;
    $app->answer(status => 204, delay => 30);
    my @posts = map { post($one, '/hook', "msg_k$_", $success) } 1 .. 8;
    is(join(' ', map { $_->read_response->status } @posts),
       join(' ', (202) x 8), 'it has answered');
    $app->wait_requests(8);
    sleep(0.1);
    $app->answer(status => 204);
    kill('KILL', $one->pid, $one->pids(all => 1));
    $one->stop;

    settle(40);
    my %came;
    $came{scalar $_->header('webhook-id')}++ for $app->requests;
    is(join(' ', map { $_ // 0 } @came{map { "msg_k$_" } 1 .. 8}),
       join(' ', (2) x 8), 'the other one delivers them again');
    is(post($two, '/hook', 'msg_k1', $success)->read_response
        ->json->{result}, 'duplicate', 'and knows that they were received');
};


is(sql('PRAGMA integrity_check'), 'ok', 'the database is sound');
no_bad_log($two);
ok($two->stop, 'the other one ends');

done_testing;
