# The documentation is true: examples and fenced blocks pass "nginx -t", each
# example does what its guide says, and what the code has is named in docs/
# and the other way round.

use strict;
use warnings;

use lib 't/lib';

use IO::Socket::SSL ();
use JSON::PP ();
use Test::More;

use CodatTest;
use CodatTest::Docs;

my $top = CodatTest::top();
my $docs = "$top/docs";
my $source = "$top/ngx_http_codat_module";

my ($client1, $client2) = (client1(), client2());
my ($secret, $secret2) = (secret(), secret2());

my %page = pages();
my %example = examples();
my %code = map { m{([^/]+)$} ? ($1 => slurp($_)) : () }
    glob("$source/*.[ch]");


# a running example, with applications behind it

sub run {
    my ($name, %opt) = @_;

    my $text = $example{$name};
    $text =~ s/$_->[0]/$_->[1]/g for @{$opt{edit} // []};

    my $nginx = prepare($text, %opt, address => {
        map { $_ => $opt{$_}->address } grep { /:\d+$|slack/ } keys %opt
    });

    return $nginx->start;
}


# send($nginx, $body, headers => text, tls => 1, cert => NAME, method => ...)

sub send_to {
    my ($nginx, $body, %opt) = @_;

    my $client = CodatTest::Client->new(port => $nginx->port(2));

    if ($opt{tls} // 1) {
        my $path = $nginx->prefix . '/conf/tls/' . ($opt{cert} // '');
        IO::Socket::SSL->start_SSL($client->socket,
            SSL_verify_mode => 0, SSL_hostname => 'hooks.example.com',
            $opt{cert} ? (SSL_cert_file => "$path.crt",
                          SSL_key_file => "$path.key") : ())
            or die 'TLS: ', IO::Socket::SSL::errstr(), "\n";
        $client->{tls} = 1;
    }

    my $response = $client->request($opt{method} // 'POST',
        '/webhooks/codat', "Content-Type: application/json\n"
        . ($opt{headers} // ''), $body, close => 1);

    return $response // die 'no answer: ', $client->error, "\n";
}


sub answered {
    my ($response, $status, $word, $name) = @_;

    my $json = eval { JSON::PP->new->utf8->decode($response->body) } // {};

    is($response->status . ' ' . ($json->{result} // $json->{code} // '-'),
       "$status $word", $name);
}


sub application {
    return CodatTest::Upstream->new(answer => { status => 200 }, @_);
}


sub finish {
    my ($nginx, $name) = @_;

    ok($nginx->stop, "$name: nginx stops");
    no_bad_log($nginx, name => "$name: nothing bad in the log");
}


# signed($body, ...): headers

sub signed { return signed_headers($secret, @_) }

sub challenge { return scalar $_[0]->header('www-authenticate') // '' }


my $push = body('invoices.write.successful');
my $link = body('connection.disconnected');
my $rule = body('DataSyncCompleted');


subtest 'every example passes nginx -t' => sub {
    for my $name (sort keys %example) {
        my ($ok, $said) = prepare($example{$name})->check;
        ok($ok, $name) or diag($said);
    }
};


subtest 'signature.conf' => sub {
    my $app = application();
    my $nginx = run('signature', '127.0.0.1:8081' => $app, secrets =>
                    { 'signature.secret' => "# new\n$secret2\n\n$secret\n" });

    answered(send_to($nginx, $push, headers => signed($push, id => 'msg_1')),
             200, 'accepted', 'a push');
    answered(send_to($nginx, $push, headers => signed($push, id => 'msg_1')),
             200, 'duplicate', 'the same message');
    answered(send_to($nginx, $link, headers =>
                     signed_headers($secret2, $link)),
             200, 'accepted', 'signed with the other line of the file');

    is(join(' ', map { $_->{uri} } $app->requests),
       '/app/pushes /app/connections', 'forwarded once, by type');

    my ($first) = $app->requests;
    is($first->header('content-type'), 'application/cloudevents+json',
       'as a CloudEvent');
    is($first->header('webhook-id'), 'msg_1', 'with the idempotency key');
    is($first->header('webhook-signature'), undef, 'without the signature');
    is($first->json->{type}, 'io.codat.invoices.write.successful', 'type');

    my $response = send_to($nginx, $push);
    answered($response, 401, 'signature_missing', 'a stranger');
    like(challenge($response), qr/^Signature /, 'with the scheme');
    answered(send_to($nginx, $push, headers =>
                     signed_headers(new_secret(), $push)),
             401, 'signature_mismatch', 'another secret');
    answered(send_to($nginx, $push, headers => signed($push, offset => -400)),
             401, 'timestamp_out_of_tolerance', 'an old one');

    is(scalar(my @all = $app->requests), 2, 'nothing more was forwarded');
    finish($nginx, 'signature');
};


subtest 'basic.conf and bearer.conf' => sub {
    my $app = application();

    my $nginx = run('basic', '127.0.0.1:8081' => $app);
    my $good = 'Authorization: ' . basic('codat', 'pass:word$1');

    answered(send_to($nginx, $rule, headers => $good), 200, 'accepted',
             'basic');
    my $response = send_to($nginx, $rule,
        headers => 'Authorization: ' . basic('codat', 'other'));
    answered($response, 401, 'credential_mismatch', 'a wrong password');
    like(challenge($response), qr/^Basic /, 'with the scheme');
    answered(send_to($nginx, $rule), 401, 'credential_missing', 'none');
    finish($nginx, 'basic');

    $nginx = run('bearer', '127.0.0.1:8081' => $app);
    answered(send_to($nginx, $rule, headers =>
                     'Authorization: Bearer token-of-some-length'),
             200, 'accepted', 'bearer');
    $response = send_to($nginx, $rule, headers => $good);
    answered($response, 401, 'credential_mismatch', 'another scheme');
    like(challenge($response), qr/^Bearer /, 'with the scheme');
    finish($nginx, 'bearer');

    my @got = $app->requests;
    is(join(' ', map { $_->{uri} } @got), '/app/codat /app/codat',
       'forwarded');
    is($got[0]->json->{data}{generation}, 'legacy', 'as a legacy event');
    is($got[0]->header('authorization'), undef, 'without the credential');
};


subtest 'migration.conf' => sub {
    my $app = application();
    my $nginx = run('migration', '127.0.0.1:8081' => $app);

    answered(send_to($nginx, $push, headers => signed($push)), 200,
             'accepted', 'the current service');
    answered(send_to($nginx, $rule, headers => 'Authorization: '
                     . basic('codat', 'pass:word$1')), 200, 'accepted',
             'the legacy service');
    answered(send_to($nginx, $rule), 401, 'credential_missing', 'neither');

    is(join(' ', map { $_->json->{data}{generation} } $app->requests),
       'current legacy', 'both are forwarded');

    my $log = slurp($nginx->prefix . '/logs/codat.log');
    like($log, qr/ 200 accepted current invoices\.write\.successful /,
         'the current one is in the log');
    like($log, qr/ 200 accepted legacy read\.completed "Data sync completed"/,
         'and the legacy one');
    finish($nginx, 'migration');
};


subtest 'several-clients.conf' => sub {
    my ($one, $two) = (application(), application());
    my $nginx = run('several-clients', '127.0.0.1:8081' => $one,
                    '127.0.0.1:8082' => $two);
    my $by = sub { signed_headers($_[0], $push) . "X-Codat-ClientId: $_[1]" };

    answered(send_to($nginx, $push, headers => $by->($secret, $client1)),
             200, 'accepted', 'the first client');
    answered(send_to($nginx, $push, headers => $by->($secret2, $client2)),
             200, 'accepted', 'the second client');
    answered(send_to($nginx, $push, headers => $by->($secret2, $client1)),
             401, 'signature_mismatch', 'with the secret of the other');
    answered(send_to($nginx, $push, headers => $by->($secret, uuid())),
             403, 'client_not_allowed', 'a third client');
    answered(send_to($nginx, $push, headers => signed($push)),
             401, 'signature_mismatch', 'no client');

    is(scalar(my @one = $one->requests), 1, 'one for the first');
    is(scalar(my @two = $two->requests), 1, 'one for the second');
    finish($nginx, 'several-clients');
};


subtest 'raw.conf' => sub {
    my $app = application();
    my $nginx = run('raw', '127.0.0.1:8081' => $app);
    my $body = "{ \"eventType\": \"x.y\",\t\"n\": 1.50, \"s\": \"\\u00e9\" }\n";

    answered(send_to($nginx, $body, headers => signed($body)
                     . "Authorization: Bearer secret\n"),
             200, 'accepted', 'raw');

    my ($got) = $app->requests;
    is($got->{body}, $body, 'the body, byte for byte');
    is($got->header('webhook-signature'),
       sign($secret, $got->header('webhook-id') // '',
            $got->header('webhook-timestamp') // '', $got->{body}),
       'verifies at the application');
    is($got->header('content-type'), 'application/json', 'media type');
    is($got->header('authorization'), undef, 'nothing else is passed on');
    finish($nginx, 'raw');
};


subtest 'slack.conf' => sub {
    my ($app, $slack) = (application(), application(tls => 1));
    my $nginx = run('slack', '127.0.0.1:8081' => $app,
                    'hooks.slack.com' => $slack);

    answered(send_to($nginx, $link, headers => signed($link)), 200,
             'accepted', 'a cut connection');
    my ($got) = $slack->wait_requests(1);
    like($got->{uri}, qr{^/services/T0+/B0+/X+$}, 'the path of the channel');
    is($got->header('content-type'), 'application/json', 'media type');
    is($got->header('webhook-id'), undef, 'no header of ours');
    like($got->json->{text},
         qr/^Finch & Orchard Ltd: connection\.disconnected \(Example Books/,
         'the text');

    $slack->answer(status => 500);
    answered(send_to($nginx, $link, headers => signed($link)), 200,
             'accepted', 'Slack failed');
    answered(send_to($nginx, $push, headers => signed($push)), 200,
             'accepted', 'another event');
    is(scalar(my @all = $app->requests), 3, 'all reached the application');
    is(scalar(@all = $slack->wait_requests(2)), 2, 'two of them Slack');
    finish($nginx, 'slack');
};


subtest 'fastcgi.conf' => sub {
    my $app = application(fastcgi => 1);
    my $nginx = run('fastcgi', '127.0.0.1:9000' => $app);

    answered(send_to($nginx, $push, method => 'PUT',
                     headers => signed($push)), 200, 'accepted', 'FastCGI');

    my ($got) = $app->requests;
    is($got->{params}{REQUEST_METHOD}, 'POST', 'method');
    is($got->{params}{REQUEST_URI}, '/app/codat.php', 'URI');
    is($got->{params}{CONTENT_LENGTH}, length $got->{body}, 'length');
    is($got->{params}{CODAT_ATTEMPT}, 1, 'attempt');
    is($got->json->{type}, 'io.codat.invoices.write.successful', 'event');
    finish($nginx, 'fastcgi');
};


subtest 'https.conf' => sub {
    my $app = application(tls => 1);
    my $nginx = run('https', '127.0.0.1:8443' => $app, ca => $app->cert);

    answered(send_to($nginx, $push, headers => signed($push)), 200,
             'accepted', 'https');
    my ($got) = $app->requests;
    is($got->{uri}, '/codat/events?type=invoices.write.successful', 'URI');
    is($got->header('host'), 'localhost', 'host');
    finish($nginx, 'https');

    $nginx = run('https', '127.0.0.1:8443' => $app);
    answered(send_to($nginx, $push, headers => signed($push)), 502,
             'forward_failed', 'an unknown certificate');
    is(scalar(my @all = $app->requests), 1, 'gets nothing');
    finish($nginx, 'https');
};


subtest 'logging.conf' => sub {
    my $app = application();
    my $nginx = run('logging', '127.0.0.1:8081' => $app);

    answered(send_to($nginx, $push, headers => signed($push, id => 'msg_1')),
             200, 'accepted', 'accepted');
    answered(send_to($nginx, $push), 401, 'signature_missing', 'refused');

    my @lines = split(/\n/, slurp($nginx->prefix . '/logs/codat.json'));
    is(scalar @lines, 1, 'one line');
    my $line = JSON::PP->new->utf8->decode($lines[0]);
    is("@$line{qw(status result type webhookId attempt)}",
       '200 accepted invoices.write.successful msg_1 1', 'its fields');
    like($nginx->error_log, qr/\[notice\].*webhook refused, code: signature_m/,
         'the refusal is in the error log');
    finish($nginx, 'logging');
};


subtest 'hardening.conf' => sub {
    my $app = application();
    my $here = [qr/4\.159\.114\.108/, '127.0.0.1'];
    my $nginx = run('hardening', '127.0.0.1:8081' => $app, edit => [$here]);
    my @cert = (cert => 'codat-client');

    answered(send_to($nginx, $push, headers => signed($push), @cert), 200,
             'accepted', 'with the certificate');
    answered(send_to($nginx, $push, headers => signed($push)), 400, '-',
             'without');
    answered(send_to($nginx, $push, headers => signed($push),
                     cert => 'hooks.example.com'), 400, '-', 'with another');
    answered(send_to($nginx, $push, @cert), 401, 'signature_missing',
             'without a signature');
    finish($nginx, 'hardening');

    $nginx = run('hardening', '127.0.0.1:8081' => $app);
    answered(send_to($nginx, $push, headers => signed($push), @cert), 403,
             '-', 'from another address');
    finish($nginx, 'hardening');

    $nginx = run('hardening', '127.0.0.1:8081' => $app,
                 edit => [$here, [qr/burst=200 nodelay/, ''],
                          [qr{rate=50r/s}, 'rate=1r/m']]);
    send_to($nginx, $push, headers => signed($push), @cert);
    answered(send_to($nginx, $push, headers => signed($push), @cert), 503,
             '-', 'above the rate');
    finish($nginx, 'hardening');
    is(scalar(my @all = $app->requests), 2, 'two were forwarded');
};


subtest 'load-balancer.conf' => sub {
    my $app = application();
    my $nginx = run('load-balancer', '127.0.0.1:8081' => $app,
                    edit => [[qr{10\.0\.0\.0/8}, '127.0.0.0/8']]);
    my $from = sub { signed($push) . "X-Forwarded-For: $_[0]" };

    answered(send_to($nginx, $push, tls => 0,
                     headers => $from->('4.159.114.108')),
             200, 'accepted', 'an address of Codat');
    answered(send_to($nginx, $push, tls => 0,
                     headers => $from->('192.0.2.7')),
             403, '-', 'another address');
    answered(send_to($nginx, $push, tls => 0,
                     headers => $from->('4.159.114.108, 192.0.2.7')),
             403, '-', 'a forged address');
    finish($nginx, 'load-balancer');

    $nginx = run('load-balancer', '127.0.0.1:8081' => $app);
    answered(send_to($nginx, $push, tls => 0,
                     headers => $from->('4.159.114.108')),
             403, '-', 'a stranger is not believed');
    finish($nginx, 'load-balancer');
};


# ```nginx LEVEL: the level says what has to be put around the block.  Blocks
# of the level "http" without a server also apply to later blocks of a page.
# ```nginx NAME: the block is a part of that example, which is checked above.

subtest 'every nginx block passes nginx -t' => sub {
    for my $name (sort keys %page) {
        my ($above, $n) = ('', 0);

        while ($page{$name} =~ /^```nginx[ ]*([\w-]*)\n(.*?)^```$/msg) {
            my ($level, $text) = ($1, $2);
            my $what = "$name, block " . ++$n;

            if ($example{$level}) {
                isnt(index(squeezed($example{$level}), squeezed($text)), -1,
                     "$what is in $level.conf") or diag($text);
                next;
            }

            if ($level !~ /^(http|server|location)$/) {
                fail("$what has a level");
                next;
            }

            my $http = $level eq 'http' ? '' : $above;
            my $all = "$http$text";
            my $store = $all =~ /^\s*codat_consumers /m
                ? ' store=sqlite:conf/codat.db' : '';
            $http .= "codat_zone zone=codat:1m$store;\n"
                if $all !~ /^codat_zone /m;
            $http .= "upstream app { server 127.0.0.1:8081; }\n";
            $above .= $text if $level eq 'http' && $text !~ /^server /m;

            if ($level eq 'location') {
                $text = "codat_webhook zone=codat;\n$text"
                    if $text !~ /^codat_webhook /m;
                $http .= "codat_credential bearer x;\n"
                    if $text !~ /^codat_credential /m;
                $text = "location = /webhooks/codat {\n$text}\n";
                $level = 'server';
            }

            my ($ok, $said) = prepare($text, level => $level,
                                      http => $http)->check;
            ok($ok, $what) or diag($said);
        }
    }
};


subtest 'no configuration hides in other blocks' => sub {
    for my $name (sort keys %page) {
        my %odd;

        while ($page{$name} =~ /^```([^\n]*)\n(.*?)^```$/msg) {
            my ($kind, $text) = ($1, $2);
            next if $kind =~ /^nginx/;
            $odd{$1} = 1 while $text =~ /^(\s*codat_\w+\s[^\n]*;)\s*$/mg;
        }

        is(join("\n", sort keys %odd), '', $name);
    }
};


# (docs/examples/demo.conf is a whole nginx.conf too: t/demo.t runs it)

subtest 'the configuration of README.md passes nginx -t' => sub {
    my @block = slurp("$top/README.md") =~ /^```nginx\n(.*?)^```$/msg;
    is(scalar @block, 1, 'there is one');

    my ($load, $http) = $block[0] =~ /\A(load_module .*;\n)\nhttp \{\n(.*)^\}\n\z/ms;
    is($load, "load_module modules/ngx_http_codat_module.so;\n",
       'it loads the module');

    my ($ok, $said) = prepare($http // 'nothing;', secrets =>
                              { '../codat.secret' => "$secret\n" })->check;
    ok($ok, 'nginx -t') or diag($said);
};


# without comments, and however it is set

sub squeezed {
    my $text = shift;

    $text =~ s/^\s*#.*\n//mg;

    return join(' ', split(' ', $text));
}


subtest 'the CloudEvent of events.md' => sub {
    my ($received, $forwarded) = map {
        $page{'events.md'} =~ /^```json $_\n(.*?)\n```$/ms ? $1 : ''
    } qw(received forwarded);
    my $utf8 = JSON::PP->new->utf8->canonical;

    my $app = application();
    my $nginx = run('signature', '127.0.0.1:8081' => $app);
    answered(send_to($nginx, $received, headers =>
                     signed($received, id => 'msg_2YwX0dKxEo1Z3vTqQn8sJr5')
                     . "X-Codat-ClientId: $client1"),
             200, 'accepted', 'is accepted');

    my ($got) = $app->requests;
    is_deeply($got->json, $utf8->decode($forwarded), 'is as documented');
    isnt(index($got->{body}, "\"payload\":$received}}"), -1,
         'with the payload byte for byte');
    finish($nginx, 'events');
};


subtest 'legacy spellings of events.md' => sub {
    my ($table) = $page{'events.md'}
        =~ /^\| spellings \| condition .*?\n\|[-| ]+\n(.*?)\n\n/ms;
    my $app = application();
    my $nginx = run('raw', '127.0.0.1:8081' => $app);
    my ($names, $seen) = ('', 0);

    for my $line (split(/\n/, $table // '')) {
        my (undef, $spellings, $condition, $types)
            = split(/\s*\|\s*/, $line);
        $names = $spellings if $spellings;

        my ($type) = $types =~ /^`([\w.]+)`/ or next;
        $type =~ s/^TYPE/bills/;

        for my $name ($names =~ /`([^`]+)`/g) {
            for my $data (legacy_data($condition)) {
                my $body = JSON::PP->new->encode({
                    AlertId => uuid(), RuleType => $name, Data => {
                        dataType => 'bills', pushOperationKey => uuid(),
                        %$data } });
                my $answer = send_to($nginx, $body,
                                     headers => signed($body));
                is(JSON::PP->new->decode($answer->body)->{type}, $type,
                   "$name " . join(' ', map { $_ // '-' } %$data));
                $seen++;
            }
        }
    }

    cmp_ok($seen, '>', 40, 'all rows were read');
    finish($nginx, 'spellings');
};


sub legacy_data {
    my $condition = shift;

    return {} if $condition eq '';
    return { newStatus => 'PendingAuth' } if $condition =~ /no `oldStatus`/;
    return { newStatus => undef, oldStatus => undef }
        if $condition eq 'both empty';
    return { newStatus => 'Unlinked', oldStatus => 'PendingAuth' }
        if $condition eq 'any other pair';
    return { status => 'Odd' } if $condition eq 'any other status';

    if (my ($from, $to) = $condition =~ /^([\w ]+) to ([\w ]+)$/) {
        my @from = split(/ or /, $from);
        return map { my $new = $_;
            map { { newStatus => $new, oldStatus => $_ } } @from
        } split(/ or /, $to);
    }

    return map { { status => $_ } } $condition =~ /`(\w+)`/g;
}


# what the code has

my @directives = $code{'ngx_http_codat_module.c'}
    =~ /\{ ngx_string\("(codat_\w+)"\),/g;

my @codes = $code{'ngx_http_codat_problems_x.h'}
    =~ /^X\(\w+,\s*"(\w+)",\s*(\d+),/mg;
my %status = @codes;

my @fields = map { { key => $_->[0], variable => $_->[1] } }
    map { [/"([^"]*)",\s*"([^"]*)"/] }
    $code{'ngx_codat_fields_x.h'} =~ /^X\(\w+,(.*?)\)$/msg;

my @variables = ((map { "codat_$_->{variable}" } @fields),
                 $code{'ngx_http_codat_variables.c'}
                     =~ /\{ ngx_string\("(codat_\w+)"\),/g);

my @metrics = map { { name => $_->[0], type => $_->[1] } }
    map { [/"(\w+)",\s*(\w+),/] }
    $code{'ngx_codat_counters_x.h'} =~ /^X\(\w+,(.*?)\)$/msg;

# values of labels, by the name of their array

my %labels = map { my ($name, $list) = @$_;
                   ($name => [$list =~ /ngx_string\("(\w+)"\)/g]) }
    map { [/^(\w+)\[\] = \{(.*)/s] }
    join("\n", @code{qw(ngx_http_codat_count.c ngx_http_codat_metrics.c)})
        =~ /ngx_http_codat_(?:count|metrics)_(\w+\[\] = \{.*?)\};/gs;

my $all = join("\n", %page, %example);

# names that examples and blocks give to things of their own

my %own = map { $_ => 1 }
    $all =~ /\bzone=(codat_\w+)/g,
    $all =~ /\blog_format\s+(codat_\w+)/g,
    $all =~ /\bmap\s+\$\w+\s+\$(codat_\w+)/g,
    $all =~ /\bcodat_format\s+(codat_\w+)/g;


subtest 'directives' => sub {
    cmp_ok(scalar @directives, '>=', 10, 'the table was read');

    for my $name (@directives) {
        my ($section) = $page{'directives.md'} =~ /^## $name\n(.*?)(?=^## |\z)/ms;
        ok($section, "$name has a section") or next;
        like($section, qr/^\| \Q$_\E:/m, "$name: $_")
            for qw(Syntax Default Context);
        like($section, qr/^This directive appeared in version \d/m,
             "$name: since");
        like($section, qr/^```nginx /m, "$name: example");

        my ($flags) = $code{'ngx_http_codat_module.c'}
            =~ /"$name"\),\s*(NGX_HTTP_\w+(?:\|NGX_\w+)*)/;
        my ($context) = $section =~ /^\| Context: \| (.*) \|$/m;
        is($context, join(', ',
            $flags =~ /HTTP_MAIN_CONF/ ? '`http`' : (),
            $flags =~ /HTTP_SRV_CONF/ ? '`server`' : (),
            $flags =~ /HTTP_LOC_CONF/ ? '`location`' : ()),
           "$name: context");
    }

    my %known = map { $_ => 1 } @directives,
        map { my $metric = $_->{name};
              map { "$metric$_" } '', qw(_bucket _sum _count) } @metrics;
    my %odd = map { $_ => 1 } grep { !$known{$_} && !$own{$_} }
        $all =~ /(?<![\$\w{])(codat_[a-z_]+)/g;
    is(join(' ', sort keys %odd), '', 'no others are mentioned');
};


subtest 'variables' => sub {
    cmp_ok(scalar @variables, '>=', 25, 'the catalogue was read');

    for my $name (@variables) {
        like($page{'variables.md'}, qr/`\$$name(?:NAME)?`/, "\$$name");
    }

    my %known = map { $_ => 1 } @variables;
    my %odd = map { $_ => 1 }
        grep { !$known{$_} && !$own{$_} && !/^codat_tag(_|$)/ }
        $all =~ /\$\{?(codat_[a-z_]*[a-z])/g;
    is(join(' ', sort keys %odd), '', 'no others are mentioned');

    for my $field (@fields) {
        my $key = $field->{key} ne '' ? "`$field->{key}`" : '(envelope';
        like($page{'events.md'},
             qr/^\| \Q$key\E.* \| `\$codat_$field->{variable}` \|/m,
             "$field->{variable} in events.md");
    }

    my ($section) = $page{'events.md'} =~ /^## Fields\n(.*?)(?=^## )/ms;
    my @odd = grep { !$known{$_} && $_ ne 'codat_tag_NAME' }
        $section =~ /^\| .*? \| `\$(codat_\w+)` \|/mg;
    is("@odd", '', 'and no others');
};


# "id" is not always what a row is known by

subtest 'members of the status API' => sub {
    my %columns = $code{'ngx_codat_columns.c'}
        =~ /ngx_codat_columns_(\w+)\[\] = \{(.*?)ngx_codat_column_end/gs;
    is(join(' ', sort keys %columns), 'client company connection dataset push',
       'the catalogue was read');

    for my $kind (sort keys %columns) {
        my @keys = $columns{$kind} =~ /ngx_string\("(\w+)"\)/g;
        my ($known, $says) = $page{'state.md'}
            =~ /^\| $kind \| (.*?) \| (.*) \|$/m;
        my %documented = map { $_ => 1 } ($known // '') =~ /`(\w+)`/g,
            ($says // '') =~ /`(\w+)`/g;
        $documented{id} = 1 if $known =~ /\bid\b|`clientId`/;
        delete $documented{clientId};

        is(join(' ', sort keys %documented), join(' ', sort @keys),
           "$kind: in state.md");

        my @missing = grep { $page{'status-api.md'} !~ /[`"]$_[`"]/ } @keys;
        is("@missing", '', "$kind: in status-api.md");
    }

    my ($overview) = $page{'status-api.md'} =~ /^## Overview\n(.*?)(?=^## )/ms;
    my %keys = map { $_ => 1 } map { /\\"(\w+)\\":/g, /states\(p, "(\w+)"/g }
        $code{'ngx_http_codat_overview.c'};
    cmp_ok(scalar keys %keys, '>=', 12, 'members of the overview were read');
    my @missing = grep { $overview !~ /[`"]$_[`"]/ } sort keys %keys;
    is("@missing", '', 'members of the overview and of health');
    my @odd = grep { !$keys{$_} }
        map { /`(\w+)`/g } $overview =~ /^\| (`.*?) \|/mg;
    is("@odd", '', 'and no others');
};


subtest 'metrics' => sub {
    cmp_ok(scalar @metrics, '>=', 20, 'the catalogue was read');

    my %row = $page{'metrics.md'} =~ /^\| `(codat_\w+)` \| (\w+) \|/mg;
    is($row{$_->{name}}, $_->{type}, $_->{name}) for @metrics;

    my %known = map { $_->{name} => 1 } @metrics;
    is(join(' ', grep { !$known{$_} } sort keys %row), '',
       'no others are in its tables');

    for my $list (qw(generations results kinds outcomes kind_names)) {
        cmp_ok(scalar @{$labels{$list} // []}, '>=', 2, "$list were read");
        like($page{'metrics.md'}, qr/`$_`/, "$list: $_")
            for @{$labels{$list}};
    }

    my ($tracked) = $code{'ngx_http_codat_track.c'}
        =~ /tracked_names\[\] = \{(.*?)\};/s;
    my @results = ($tracked // '') =~ /ngx_string\("(\w+)"\)/g;
    cmp_ok(scalar @results, '>=', 10, 'results of calls were read');
    like($page{'metrics.md'}, qr/`$_`/, "calls: $_") for @results;

    my ($types) = $page{'metrics.md'}
        =~ /^The data types that can be written are (.*?)\.$/ms;
    is_deeply([sort(($types // '') =~ /`(\w+)`/g)],
              [sort $code{'ngx_codat_names.c'}
                   =~ /^    X\("(\w+)", "\w+"\)/mg],
              'data types that have their own');
};


subtest 'problem codes' => sub {
    cmp_ok(scalar keys %status, '>=', 15, 'the catalogue was read');

    for my $code (sort keys %status) {
        my ($section) = $page{'troubleshooting.md'}
            =~ /^### $code\n\n(.*?)(?=^###? |\z)/ms;
        ok($section, "$code has a section") or next;
        like($section, qr/^$status{$code}\b/, "$code: status");
        like($section, qr/^$_\n: /m, "$code: $_") for qw(Cause Cure);
        like($page{'webhook.md'} . $page{'status-api.md'} . $page{'track.md'},
             qr/^\| `$code` \| $status{$code} \|/m,
             "$code in webhook.md, status-api.md or track.md");
    }

    my ($list) = $page{'troubleshooting.md'}
        =~ /^## Problem codes\n(.*?)(?=^## )/ms;
    is(join(' ', sort $list =~ /^### (.*)$/mg),
       join(' ', sort keys %status), 'no others have a section');

    for my $name (qw(webhook.md status-api.md)) {
        my %odd = $page{$name} =~ /^\| `(\w+)` \| (\d\d\d) \|/mg;
        delete @odd{grep { ($status{$_} // '') eq $odd{$_} } keys %odd};
        is(join(' ', sort keys %odd), '', "no others are in $name");
    }
};


subtest 'the consumer API' => sub {
    my $api = $page{'consumers.md'};
    my $json = $code{'ngx_http_codat_consumer_json.c'};
    my ($table) = $code{'ngx_http_codat_consumers.c'}
        =~ /consumer_paths\[\] =\n\{(.*?)ngx_null_string/s;
    my %path;

    while ($table =~ /\("([^"]*)"\), ([01]), ngx_string\("([^"]*)"\)/g) {
        my $path = join('/', 'webhooks', $2 ? 'ID' : (), length $1 ? $1 : ());
        $path{$path} = $3 =~ s/, HEAD//r;
    }
    cmp_ok(scalar keys %path, '>=', 6, 'paths were read');
    is_deeply({ $api =~ m{^\| `/codat-hooks/(\S+)` \| (.*?) \|}mg }, \%path,
              'paths and their methods');

    my %member = map { $_ => 1 } $json =~ /\\"([a-z]\w+)\\":/g,
        $json =~ /(?:_list_json|_time)\(p, "(\w+)"/g;
    my %given = map { $_ => 1 }
        $json =~ /\{ ngx_string\("(\w+)"\), NGX_CODAT_CONSUMER_/g;
    cmp_ok(scalar keys %given, '>=', 7, 'members of requests were read');
    is(join(' ', grep { !$member{$_} } sort keys %given), '',
       'each is in answers too');

    my ($section) = $api =~ /^## Consumers\n(.*?)(?=^#)/ms;
    is(join(' ', sort map { /`(\w+)`/g } $section =~ /^\| (`.*?) \|/mg),
       join(' ', sort keys %member), 'members of a consumer');
    my ($make) = $api =~ /^### Make\n(.*?)(?=^#)/ms;
    like($make, qr/`$_`/, "$_ can be given") for sort keys %given;

    my %number = (NOT_FOUND => 404, NOT_ALLOWED => 405, BAD_REQUEST => 400,
        UNAUTHORIZED => 401, FORBIDDEN => 403, CONFLICT => 409,
        REQUEST_ENTITY_TOO_LARGE => 413, UNSUPPORTED_MEDIA_TYPE => 415,
        SERVICE_UNAVAILABLE => 503);
    my %used = map { $number{$_} // $_ => 1 } map {
        /consumer_(?:error|refuse)\(r,\s*NGX_HTTP_(\w+)/g } values %code;
    my ($errors) = $api =~ /^## Errors\n(.*)/ms;
    is(join(' ', $errors =~ /^\| (\d+) \|/mg), join(' ', sort keys %used),
       'statuses of errors');

    my %limit = map { /define NGX_HTTP_CODAT_(?:CONSUMER|SAMPLES)_(\w+) +(\d+)/g }
        values %code;
    like($api, qr/$_->[1]/s, "limit: $_->[0]") for
        [BODY => 'at most ' . $limit{BODY} / 1024 . ' KB'],
        [TAGS => "at most $limit{TAGS}, of $limit{TAG} bytes"],
        [RATE => "1 to $limit{RATE}"],
        [TYPES => "At most $limit{TYPES}, of $limit{TYPE} bytes"],
        [MAX => "1 to $limit{MAX}; by default $limit{LIMIT}"],
        [SECRET => "one is made, of $limit{SECRET} bytes"];

    my ($rules) = $json =~ /consumer_rules\[\] = \{(.*?)\};/s;
    my @patterns = $rules =~ /ngx_string\("(.*?)"\)/g;
    cmp_ok(scalar @patterns, '>=', 3, 'patterns for rules were read');
    like($api, qr/^\| `.*` \| `\Q$_\E` \|$/m, "a rule becomes $_")
        for @patterns;
};


subtest 'quoted messages are those of the code' => sub {
    my $literals = join("\n", values %code);
    $literals =~ s/"\s*\n\s*"//g;
    $literals =~ s/\\"/"/g;

    while ($page{'troubleshooting.md'} =~ /\*"(.*?)"\*/sg) {
        my $text = $1 =~ s/\s+/ /gr =~ s/\\\*/*/gr;

        # between what a format fills in
        for my $part (split(/ ?…|"\/app\/codat"|\d+s?\b/, $text)) {
            $part =~ s/^[ ,]+|[ ,]+$//g;
            next if length $part < 8 || $part =~ /at byte$/;
            isnt(index($literals, $part), -1, $part);
        }
    }
};


subtest 'the manual pages of the tools have their options' => sub {
    for my $tool (qw(codat-send codat-prove)) {
        my $help = `$^X $top/tools/$tool --help`;
        my $manual = slurp("$top/debian/$tool.1") =~ s/\\-/-/gr;
        my ($has, $should) = map {
            my %option = map { $_ => 1 } /--[a-z][a-z-]+/g;
            join(' ', sort keys %option);
        } $manual, $help;

        is($has, $should, "$tool: these and no others");
    }
};


subtest 'links' => sub {
    my %anchor = map { $_ => { map { slug($_) => 1 }
        $page{$_} =~ /^#+ (.*)$/mg } } keys %page;

    for my $name (sort keys %page) {
        my %seen;
        for my $link (grep { !/^https?:/ && !$seen{$_}++ }
                      $page{$name} =~ /\]\(([^)\s]+)\)/g)
        {
            my ($file, $id) = split(/#/, $link, 2);
            $file = $name if $file eq '';
            ok(-f "$docs/$file", "$name: $link exists");
            ok($anchor{$file}{$id}, "$name: $link has its anchor")
                if defined $id && $anchor{$file};
        }

        ok($page{'index.md'} =~ /\(\Q$name\E\)/, "$name is in index.md")
            if $name ne 'index.md';
    }

    ok($page{'index.md'} =~ m{\(examples/\Q$_\E\.conf\)},
       "$_.conf is in index.md") for sort keys %example;
};


sub slug {
    my $text = lc shift;

    $text =~ s/[^\w\- ]//g;
    $text =~ tr/ /-/;

    return $text;
}


done_testing();
