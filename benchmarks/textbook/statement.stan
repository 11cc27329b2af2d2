// The textbook statement in Stan: one mixture term an incident. Actor J is `other`.
data {
  int<lower=1> N;                      // incidents
  int<lower=4> J;                      // actors
  int<lower=2> C;                      // kinds
  int<lower=2> R;                      // regions
  int<lower=2> H;                      // channels
  array[N] int<lower=1, upper=C> kind;
  array[N] int<lower=1, upper=R> region;
  array[N] int<lower=1, upper=2> period;
  int<lower=1> n_firm;                 // channels that cannot be forged
  int<lower=1> n_forged;               // channels that can
  array[n_firm] int<lower=1, upper=H> firm_channel;
  array[n_forged] int<lower=1, upper=H> forged_channel;
  matrix[N, n_firm * (J + 1)] firm_evidence;      // speaks, is silent, names each organization; by channel
  matrix[N, n_forged * (J + 1)] forged_evidence;
  array[N] int<lower=0, upper=J> perpetrator;     // as settled; 0 where nothing is
  array[N] int<lower=0, upper=1> may_be_honest;
  array[N] int<lower=0, upper=1> may_be_staged;
  array[N] int<lower=0, upper=J> framed;          // as settled; 0 where nothing is
  matrix[H, 2] accuracy_beta;
  matrix[2, 2] staging_beta;
  vector[2] days;
  real mean_level;
  real<lower=0, upper=1> chance;
  real level_scale;
  real staging_memory;
  real level_shift_scale;
  real log_rate_scale;
  real other_scale;
  real kind_prior;
  real period_scale;
  real region_scale;
  real presence_prior;
  real reach_mean;
  real reach_location_scale;
  real reach_prior;
  real notoriety_scale;
  real false_flag_scale;
  real target_scale;
  real scale_spread;
}
transformed data {
  int K = J - 1;
}
parameters {
  vector[C] level;
  vector[C] level_change;
  real<lower=0> organization_scale;
  sum_to_zero_vector[K] organization;
  real other;
  real<lower=0> shift_scale;
  sum_to_zero_vector[J] shift;
  real<lower=0> kind_scale;
  sum_to_zero_matrix[C, J] kind_effect;
  sum_to_zero_vector[R] region_effect;
  real<lower=0> presence_scale;
  sum_to_zero_matrix[R, J] presence_own;
  vector[H] reach_location;
  vector<lower=0>[H] reach_scale;
  array[H] sum_to_zero_vector[J] reach_deviation;
  vector<lower=chance, upper=1>[H] accuracy;
  array[H] sum_to_zero_vector[K] fame;
  vector<lower=0, upper=1>[2] staging;
  row_vector[J] staging_deviation;
  matrix[2, J] staging_shift;
  matrix[J, J - 1] preference;
}
transformed parameters {
  array[C, 2] row_vector[J] log_rate;
  matrix[R, J] log_presence;
  matrix[H, J] reach_logit;
  matrix[H, K] notoriety;
  matrix[2, J] false_flag;
  matrix[J, J] framing = rep_matrix(0, J, J);
  for (c in 1:C) {
    for (t in 1:2) {
      log_rate[c, t] = append_col(to_row_vector(organization), other) + log(days[t]) + level[c]
                       + kind_scale * kind_effect[c];
      if (t == 2) log_rate[c, t] += level_change[c] + shift_scale * to_row_vector(shift);
    }
  }
  for (j in 1:J) log_presence[, j] = log_softmax(region_effect + presence_scale * presence_own[, j]);
  for (h in 1:H) {
    reach_logit[h] = reach_location[h] + reach_scale[h] * to_row_vector(reach_deviation[h]);
    notoriety[h] = to_row_vector(softmax(fame[h]));
  }
  for (t in 1:2)
    false_flag[t] = inv_logit(logit(staging[t]) + false_flag_scale
      * (staging_memory * staging_deviation + sqrt(1 - square(staging_memory)) * staging_shift[t]));
  for (j in 1:J) {
    vector[J - 1] chosen = softmax(to_vector(preference[j]));
    for (m in 1:(J - 1)) framing[j, m < j ? m : m + 1] = chosen[m];
  }
}
model {
  level ~ normal(mean_level, level_scale);
  level_change ~ normal(0, level_shift_scale);
  organization_scale ~ lognormal(log(log_rate_scale), scale_spread);
  // A zero-sum normal has one dimension less than entries.
  target += -0.5 * dot_self(organization) / square(organization_scale) - (K - 1) * log(organization_scale);
  other ~ normal(0, other_scale);
  shift_scale ~ lognormal(log(period_scale), scale_spread);
  shift ~ std_normal();
  kind_scale ~ lognormal(log(kind_prior), scale_spread);
  to_vector(kind_effect) ~ std_normal();
  region_effect ~ normal(0, region_scale);
  presence_scale ~ lognormal(log(presence_prior), scale_spread);
  to_vector(presence_own) ~ std_normal();
  reach_location ~ normal(reach_mean, reach_location_scale);
  reach_scale ~ lognormal(log(reach_prior), scale_spread);
  accuracy ~ beta(accuracy_beta[, 1], accuracy_beta[, 2]);
  for (h in 1:H) {
    reach_deviation[h] ~ std_normal();
    fame[h] ~ normal(0, notoriety_scale);
  }
  staging ~ beta(staging_beta[, 1], staging_beta[, 2]);
  staging_deviation ~ std_normal();
  to_vector(staging_shift) ~ std_normal();
  to_vector(preference) ~ normal(0, target_scale);

  matrix[H, J] log_speaks = log_inv_logit(reach_logit);
  matrix[H, J] log_silent = log1m_inv_logit(reach_logit);
  array[H] matrix[K, J] log_name;  // named, perpetrator
  for (h in 1:H) {
    row_vector[K] log_notoriety = log(notoriety[h]);
    for (m in 1:K) {
      log_name[h][m, 1:K] = log1m(accuracy[h]) + log_notoriety[m] - log1m(notoriety[h]);
      log_name[h][m, m] = log(accuracy[h]);
      log_name[h][m, J] = log_notoriety[m];
    }
  }
  matrix[n_firm * (J + 1), J] log_firm;
  log_firm[1:n_firm] = log_speaks[firm_channel];
  log_firm[(n_firm + 1):(2 * n_firm)] = log_silent[firm_channel];
  for (h in 1:n_firm) log_firm[(2 * n_firm + (h - 1) * K + 1):(2 * n_firm + h * K)] = log_name[firm_channel[h]];
  matrix[n_forged * (J + 1), J] log_forged;
  log_forged[1:n_forged] = log_speaks[forged_channel];
  log_forged[(n_forged + 1):(2 * n_forged)] = log_silent[forged_channel];
  for (h in 1:n_forged)
    log_forged[(2 * n_forged + (h - 1) * K + 1):(2 * n_forged + h * K)] = log_name[forged_channel[h]];

  matrix[N, J] firm = firm_evidence * log_firm;
  matrix[N, J] forged = exp(forged_evidence * log_forged);
  matrix[N, J] as_framed = forged * framing';
  for (i in 1:N) {
    int t = period[i];
    row_vector[J] either = rep_row_vector(0, J);
    if (may_be_honest[i]) either += (1 - false_flag[t]) .* forged[i];
    if (may_be_staged[i])
      either += false_flag[t] .* (framed[i] > 0 ? framing[, framed[i]]' * forged[i, framed[i]] : as_framed[i]);
    row_vector[J] seen = log_rate[kind[i], t] + log_presence[region[i]] + firm[i];
    if (perpetrator[i] > 0)
      target += seen[perpetrator[i]] + log(either[perpetrator[i]]);
    else
      target += log_sum_exp(seen + log(either));
  }
  for (c in 1:C) for (t in 1:2) target += -sum(exp(log_rate[c, t]));
}
